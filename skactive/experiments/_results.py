"""The results of experiments: a table with a row per round, and what it says about strategies."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from skactive.experiments import _comparison, _tables
from skactive.experiments._failures import Failure
from skactive.experiments._load import load_failures, load_records
from skactive.experiments._records import Record

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """The rounds of experiments, as a tidy data frame, and comparisons of their strategies.

    Parameters
    ----------
    records : iterable of dict
        A dict per finished round, as `run_experiment` makes them and `results.jsonl` holds them.
        What is missing becomes NaN; a missing `dataset` is called "data".
    failures : iterable of dict, default=()
        A dict for each run that failed and has not been finished since: `dataset`, `strategy`,
        `seed`, `round`, `error` and `traceback`; its earlier rounds are among the records.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row per round, with the columns

        - `dataset`, `strategy`, `seed`, `round`: which round it is;
        - `n_labelled`: how many labels there were, those held out for validation included;
        - `queried`: the positions in X that were asked for after it, a list in pick order;
          empty in the last round;
        - `queried_classes`: the number of these in each class, a dict;
        - `accuracy`, `balanced_accuracy`, `macro_f1`, `log_loss`, `ece` (expected calibration
          error): on the test data, and a column for each further measurement;
        - `recall`: the share of each class of the test data that is recognised, a dict;
        - `calibration`: the test data in 15 bins of confidence: `count`, and the means of
          `confidence` and `accuracy`;
        - `train_seconds`, `predict_seconds`, `query_seconds`: wall-clock time; `query_seconds`
          is NaN in the last round;
        - `peak_memory`: the most bytes of main memory that the process held in the round (where
          the system cannot reset its mark: since it began); `peak_device_memory`: that torch held
          on a CUDA device, else NaN;
        - `device`, `n_threads`, `versions`: what it was computed on.

    Notes
    -----
    A comparison takes one measurement, `metric`. For `log_loss` and `ece` lower values are
    better, for all others higher ones.

    Examples
    --------
    >>> from skactive.experiments import Results
    >>> round_0 = dict(
    ...     strategy="margin", seed=0, round=0, n_labelled=20, queried=[], accuracy=0.5,
    ...     balanced_accuracy=0.5, log_loss=1.2, train_seconds=1.0, predict_seconds=0.1,
    ...     query_seconds=None, device="cpu", n_threads=2)
    >>> results = Results([round_0, {**round_0, "seed": 1, "accuracy": 0.6}])
    >>> print(results.to_text())
    labels  strategy  accuracy (mean ± sd)  query (s)  training (s)
        20    margin         0.550 ± 0.071          –          1.00
    """

    def __init__(self, records: Iterable[Record], failures: Iterable[Failure] = ()) -> None:
        import pandas as pd

        self.failures = list(failures)

        rows = [dict(record) for record in records]
        names = [name for name in Record.__annotations__ if name != "metrics"]
        for row in rows:
            more: Any = row.pop("metrics", None) or {}
            names += [name for name in more if name not in names]
            row.update(more)
            row.setdefault("dataset", "data")
        frame = pd.DataFrame(rows, columns=names)
        floats = ["log_loss", "ece", "macro_f1", "query_seconds", "peak_device_memory"]
        self.frame = frame.astype(dict.fromkeys(floats, float))

    @classmethod
    def load(cls, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Results:
        """Read the results that `run_experiment` has kept, also while it still runs.

        Parameters
        ----------
        paths : str or path-like, or a list of these
            Folders that were given as `out`, or files `results.jsonl`. Several are merged.

        Returns
        -------
        Results
            All rounds that are finished. The files are left as they are.

        Raises
        ------
        InvalidParameterError
            If there is no `results.jsonl`, or it is damaged, or two hold the same run.
        ResultsMismatchError
            If two hold results on data of one name that come from different configurations.
        """
        every = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        return cls(load_records(every), load_failures(every))

    def __repr__(self) -> str:
        runs = self.frame[["dataset", "strategy", "seed"]].drop_duplicates()
        counts = runs.groupby("strategy", sort=False).size()
        shown = ", ".join(f"{name} × {n}" for name, n in counts.items())
        return f"<Results: rounds: {len(self.frame)}; strategies × seeds: {shown or 'none'}>"

    @property
    def metrics(self) -> list[str]:
        """The names of the measurements that can be compared and drawn."""
        return _comparison.metric_names(self.frame)

    def on(self, dataset: str | None = None) -> Results:
        """Return the rounds on one data set.

        Parameters
        ----------
        dataset : str or None, default=None
            Its name; None means the only one there is.

        Returns
        -------
        Results
            Its rounds.

        Raises
        ------
        InvalidParameterError
            If there is no such data set, or more than one to choose from.
        """
        part = Results([])
        part.frame = _comparison.pick_dataset(self.frame, dataset, "Results.on")
        names = set(part.frame["dataset"])
        part.failures = [failure for failure in self.failures if failure["dataset"] in names]
        return part

    def summary(self) -> pd.DataFrame:
        """Average over the seeds.

        Returns
        -------
        pandas.DataFrame
            A row for each data set, number of labels and strategy, with the columns `dataset`,
            `n_labelled`, `strategy`, `n_seeds`, `accuracy_mean`, `accuracy_sd` (with n - 1; NaN
            for one seed), `query_seconds` and `train_seconds` (means per round).
        """
        strategies = _comparison.strategy_names(self.frame)
        datasets = list(dict.fromkeys(self.frame["dataset"]))
        table = (
            self.frame.groupby(["dataset", "n_labelled", "strategy"], sort=False)
            .agg(
                n_seeds=("seed", "nunique"),
                accuracy_mean=("accuracy", "mean"),
                accuracy_sd=("accuracy", "std"),
                query_seconds=("query_seconds", "mean"),
                train_seconds=("train_seconds", "mean"),
            )
            .reset_index()
        )
        order = {
            "first": table["dataset"].map(datasets.index),
            "last": table["strategy"].map(strategies.index),
        }
        return (
            table.assign(**order)
            .sort_values(["first", "n_labelled", "last"], ignore_index=True)
            .drop(columns=list(order))
        )

    def intervals(
        self,
        metric: str = "accuracy",
        *,
        level: float = 0.95,
        n_resamples: int = 10_000,
        random_state: Any = 0,
    ) -> pd.DataFrame:
        """Return the mean, the standard deviation and a bootstrap interval over the seeds.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement.
        level : float, default=0.95
            The share of the resampled means that the interval holds (percentile bootstrap).
        n_resamples : int, default=10_000
            Number of times that the seeds are drawn with replacement.
        random_state : int, RandomState, Generator or None, default=0
            Draws them.

        Returns
        -------
        pandas.DataFrame
            With the columns `dataset`, `strategy`, `n_labelled`, `n_seeds`, `mean`, `sd` (with
            n - 1), `low` and `high`, the ends of the interval; the last three are NaN for one
            seed.
        """
        owner = "Results.intervals"
        metric = _comparison.check_metric(metric, self.frame, owner)
        level = _comparison.check_share("level", level, owner)
        return _comparison.intervals(self.frame, metric, level, n_resamples, random_state, owner)

    def aubc(self, metric: str = "accuracy") -> pd.DataFrame:
        """Return the area under the budget curve of each run, divided by the range of budgets.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement.

        Returns
        -------
        pandas.DataFrame
            With the columns `dataset`, `strategy`, `seed` and `aubc`, the mean height of the
            learning curve by trapezoids; NaN for a run that has not reached the last number of
            labels of its data set.
        """
        metric = _comparison.check_metric(metric, self.frame, "Results.aubc")
        return _comparison.areas(self.frame, metric)

    def label_efficiency(
        self, metric: str = "accuracy", *, baseline: str = "Random"
    ) -> pd.DataFrame:
        """Return the number of labels that the baseline needs to match each strategy.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement, averaged over the seeds.
        baseline : str, default="Random"
            The strategy to compare with.

        Returns
        -------
        pandas.DataFrame
            With the columns `dataset`, `strategy`, `n_labelled`, `n_seeds` (the number that the
            mean is over), the measurement, and `baseline_labels`: where the baseline's curve,
            joined by straight lines, first gets there; infinite where it never does. `ratio` is
            `baseline_labels / n_labelled`.

        Raises
        ------
        InvalidParameterError
            If an argument is wrong, or a strategy lacks the measurement.

        Warns
        -----
        UserWarning
            If some runs are not finished, or have other seeds than the rest.
        """
        owner = "Results.label_efficiency"
        metric = _comparison.check_metric(metric, self.frame, owner)
        return _comparison.efficiency(self.frame, metric, baseline, owner)

    def penalty_matrix(
        self, metric: str = "accuracy", *, alpha: float = 0.05, budgets: str = "all"
    ) -> pd.DataFrame:
        """Return how often each strategy beats each other one: BADGE's pairwise penalties.

        On each data set, at each number of labels after the first query, a two-sided paired
        t-test over the seeds compares two strategies. Where one is better at the level `alpha`,
        its row gets 1 / (number of budgets) in the column of the other, so that each data set
        weighs at most 1. Tests of many pairs at many budgets are not corrected for their number.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement.
        alpha : float, default=0.05
            The level of each test; with five seeds, t > 2.776 or t < −2.776.
        budgets : {"all", "doubling"}, default="all"
            At which budgets to compare: after every query, or after queries 1, 2, 4, 8, ..., where
            the many late budgets, which are much alike, weigh less.

        Returns
        -------
        pandas.DataFrame
            Strategies by strategies: rows beat columns. The sum of a column says how often a
            strategy was beaten; lower is better.

        Raises
        ------
        InvalidParameterError
            If an argument is wrong, a strategy lacks the measurement, nothing was queried, or two
            strategies share fewer than two seeds at a budget.

        Warns
        -----
        UserWarning
            If some runs are not finished, or have other seeds than the rest.

        References
        ----------
        J. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal. "Deep Batch Active Learning by
        Diverse, Uncertain Gradient Lower Bounds". arXiv:1906.03671, 2020, its pairwise comparisons.
        """
        owner = "Results.penalty_matrix"
        metric = _comparison.check_metric(metric, self.frame, owner)
        alpha = _comparison.check_share("alpha", alpha, owner)
        return _comparison.penalties(self.frame, metric, alpha, budgets, owner)

    def wilcoxon(self, metric: str = "accuracy", *, over: str = "dataset") -> pd.DataFrame:
        """Compare all pairs of strategies by Wilcoxon's signed-rank test, with Holm's correction.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement, of which the areas under the budget curves are compared.
        over : {"dataset", "seed"}, default="dataset"
            What is paired: data sets, averaged over the seeds that all strategies have finished; or
            these seeds of all data sets, which speaks for these data sets only. With n pairs, p is
            at least 2 / 2ⁿ. Areas that differ by 1e-12 of the largest or less count as equal.

        Returns
        -------
        pandas.DataFrame
            With the columns `a`, `b`, `n_blocks`, `mean_difference` (positive where `a` is
            better), `p`, and `p_holm`, corrected for the number of pairs.

        Raises
        ------
        InvalidParameterError
            If an argument is wrong, a strategy lacks the measurement, or there are fewer than two
            pairs.

        Warns
        -----
        UserWarning
            If some runs are not finished, or have other seeds than the rest.

        References
        ----------
        J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006.
        """
        owner = "Results.wilcoxon"
        metric = _comparison.check_metric(metric, self.frame, owner)
        return _comparison.wilcoxon_tests(_comparison.blocks(self.frame, metric, over, owner))

    def critical_differences(
        self, metric: str = "accuracy", *, over: str = "dataset", alpha: float = 0.05
    ) -> _comparison.CriticalDifferences:
        """Rank the strategies, and say which mean ranks differ, by Nemenyi's test.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement, by whose areas under the budget curves strategies are ranked.
        over : {"dataset", "seed"}, default="dataset"
            On what they are ranked, and which areas are equal, as for `wilcoxon`.
        alpha : float, default=0.05
            The level.

        Returns
        -------
        CriticalDifferences
            A named tuple of `ranks`, `p`, `critical_difference`, `friedman_p`, `n_blocks` and
            `alpha`.

        Raises
        ------
        InvalidParameterError
            If an argument is wrong, a strategy lacks the measurement, or there are fewer than two
            blocks.

        Warns
        -----
        UserWarning
            If some runs are not finished, or have other seeds than the rest.

        References
        ----------
        J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006,
        section 3.2.2.
        """
        owner = "Results.critical_differences"
        metric = _comparison.check_metric(metric, self.frame, owner)
        alpha = _comparison.check_share("alpha", alpha, owner)
        table = _comparison.blocks(self.frame, metric, over, owner)
        return _comparison.critical_differences(table, alpha)

    def to_text(self, table: pd.DataFrame | None = None) -> str:
        """Return a table as plain text.

        Parameters
        ----------
        table : pandas.DataFrame, default=None
            What a method has returned; None takes the summary.

        Returns
        -------
        str
            A line per row, the columns right-aligned.
        """
        return _tables.plain(self._cells(table))

    def to_markdown(self, table: pd.DataFrame | None = None) -> str:
        """Return a table as Markdown.

        Parameters
        ----------
        table : pandas.DataFrame, default=None
            What a method has returned; None takes the summary.

        Returns
        -------
        str
            A line per row; reads well as plain text too.
        """
        return _tables.markdown(self._cells(table))

    def to_latex(self, table: pd.DataFrame | None = None) -> str:
        """Return a table as LaTeX, for the package booktabs.

        Parameters
        ----------
        table : pandas.DataFrame, default=None
            What a method has returned; None takes the summary.

        Returns
        -------
        str
            A tabular environment.
        """
        return _tables.latex(self._cells(table))

    def _cells(self, table: pd.DataFrame | None) -> list[list[str]]:
        if table is not None:
            return _tables.cells(table)
        summary = self.summary()
        several = len(set(self.frame["dataset"])) > 1
        gaps = len(set(summary["n_seeds"])) > 1  # then means are not over the same seeds: say so
        head = ["labels", "strategy", *["seeds"] * gaps]
        head += ["accuracy (mean ± sd)", "query (s)", "training (s)"]
        rows = [["data"] * several + head]
        for row in summary.to_dict("records"):
            spread = f" ± {row['accuracy_sd']:.3f}" if row["n_seeds"] > 1 else ""
            query = "–" if math.isnan(row["query_seconds"]) else f"{row['query_seconds']:.2f}"
            accuracy, train = f"{row['accuracy_mean']:.3f}{spread}", f"{row['train_seconds']:.2f}"
            seeds = [str(row["n_seeds"])] * gaps
            cells = [str(row["n_labelled"]), row["strategy"], *seeds, accuracy, query, train]
            rows.append([row["dataset"]] * several + cells)
        return rows
