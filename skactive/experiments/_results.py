"""The results of experiments: a table with a row per round, and what it says about strategies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skactive._validation import invalid, is_number
from skactive.experiments import _comparison, _seeds, _tables
from skactive.experiments._failures import Failure
from skactive.experiments._load import load_failures, load_records
from skactive.experiments._records import Record
from skactive.experiments._stopping import stopping_points
from skactive.experiments._strategy_tests import StrategyTests

if TYPE_CHECKING:
    import pandas as pd


class Results(StrategyTests):
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
        - `device`, `n_threads`, `versions`: what it was computed on;
        - `stopping`, where there were such rules: for each a dict of its `value`, whether it says
          to `stop`, and what the round has left for it, `seen`, for `judge` of another threshold.

    Notes
    -----
    A comparison takes one measurement, `metric`. For `log_loss` and `ece` lower values are
    better, for all others higher ones.

    Whatever averages over seeds averages at all numbers of labels over the same: those that got to
    the last number of labels of the data set. Runs that are cut short are left out, with an
    `UnfinishedRunsWarning` that names them. A strategy that has no finished run is averaged as far
    as it got, and left out of tests. `coverage` lists all of it.

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

        given = list(records)
        if not all(isinstance(record, Mapping) for record in given):
            must = "an iterable of dicts, one per round"
            remedy = "Results.load reads folders; of a frame pass frame.to_dict('records')."
            raise invalid("records", "Results", must, records, remedy)
        rows = [dict(record) for record in given]
        without = {"metrics"} | (set() if any("stopping" in row for row in rows) else {"stopping"})
        names = [name for name in Record.__annotations__ if name not in without]
        for row in rows:
            more: Any = row.pop("metrics", None) or {}
            known = {*names, *Record.__annotations__}
            # or they are in the row, of a frame that was taken apart
            apart = [name for name in row if name not in known and is_number(row[name])]
            names += [name for name in {**more, **dict.fromkeys(apart)} if name not in names]
            row.update(more)
            row.setdefault("dataset", "data")
        frame = pd.DataFrame(rows, columns=names)
        own = [name for name in names if name not in Record.__annotations__]
        floats = [*own, "log_loss", "ece", "macro_f1", "query_seconds", "peak_device_memory"]
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
        if isinstance(paths, bytes) or not isinstance(paths, (str, os.PathLike, Iterable)):
            raise invalid("paths", "Results.load", "a folder, or a list of folders", paths)
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
        return self._part(_comparison.pick_dataset(self.frame, dataset, "Results.on"))

    def coverage(self) -> pd.DataFrame:
        """Return which seeds of each strategy are averaged over, and how far they go.

        Returns
        -------
        pandas.DataFrame
            A row for each data set and strategy, with the columns

            - `n_seeds`: number of its seeds that count: those that got to the last number of
              labels; where none did, those that keep most rounds if each is to have all of them;
            - `n_seeds_most`: number of seeds that any strategy has on the data set;
            - `left_out`: its other seeds, a list;
            - `n_labelled`, `n_labelled_most`: as far as its seeds that count go, and any run on
              the data set;
            - `finished`: whether these two are the same.
        """
        return _seeds.coverage(_seeds.arms(self.frame))

    def comparable(self) -> Results:
        """Return the rounds that are averaged over: without the seeds that `coverage` leaves out.

        Returns
        -------
        Results
            Of each strategy, the same seeds at all numbers of labels.

        Warns
        -----
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.
        """
        return self._part(self._compared(_seeds.comparable))

    def _part(self, frame: pd.DataFrame) -> Results:
        part = Results([])
        part.frame = frame
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

        Warns
        -----
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.
        """
        frame = self._compared(_seeds.comparable)
        strategies = _comparison.strategy_names(frame)
        datasets = list(dict.fromkeys(frame["dataset"]))
        table = (
            frame.groupby(["dataset", "n_labelled", "strategy"], sort=False)
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
            seed, and all four where some seed has no such measurement.

        Warns
        -----
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.
        """
        owner = "Results.intervals"
        metric = _comparison.check_metric(metric, self.frame, owner)
        level = _comparison.check_share("level", level, owner)
        frame = self._compared(_seeds.comparable)
        return _comparison.intervals(frame, metric, level, n_resamples, random_state, owner)

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

    def stopping_points(self, metric: str = "accuracy") -> pd.DataFrame:
        """Return where each stopping rule said to stop for the first time, and what that costs.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement.

        Returns
        -------
        pandas.DataFrame
            A row per run and rule, with the columns `dataset`, `strategy`, `seed`, `rule`,
            `n_labelled` and the measurement at that round, NaN where the rule never said so, and
            `n_labelled_last` and the measurement, with `_last` after its name, in the last round;
            and from these `saved`, the labels between, and `lost`, by how much the measurement was
            better in the last round.

        Raises
        ------
        InvalidParameterError
            If there is no such measurement, or the experiment had no stopping rules.
        """
        metric = _comparison.check_metric(metric, self.frame, "Results.stopping_points")
        return stopping_points(self.frame, metric, "Results.stopping_points")

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
        return _tables.summary_cells(self.summary(), self.coverage())
