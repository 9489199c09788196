"""What `Results` says about one strategy against another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skactive.experiments import _comparison, _seeds

if TYPE_CHECKING:
    import pandas as pd


class StrategyTests:
    """The comparisons of strategies with each other, of a class with a `frame`."""

    frame: pd.DataFrame

    def _compared(self, choose: Callable[..., pd.DataFrame]) -> pd.DataFrame:
        """Return the rounds that count, and warn of what is left out."""
        arms = _seeds.arms(self.frame)
        _seeds.warn(arms, stacklevel=3)
        return choose(self.frame, arms)

    def label_efficiency(
        self, metric: str = "accuracy", *, baseline: str = "Random"
    ) -> pd.DataFrame:
        """Return the number of labels that the baseline needs to match each strategy.

        Parameters
        ----------
        metric : str, default="accuracy"
            The measurement, averaged over the seeds that a strategy shares with the baseline.
        baseline : str, default="Random"
            The strategy to compare with.

        Returns
        -------
        pandas.DataFrame
            With the columns `dataset`, `strategy`, `n_labelled`, `n_seeds` (the number that both
            means are over), the measurement, and `baseline_labels`: where the baseline's curve,
            joined by straight lines, first gets there; infinite where it never does. `ratio` is
            `baseline_labels / n_labelled`.

        Raises
        ------
        InvalidParameterError
            If an argument is wrong, or a strategy lacks the measurement.

        Warns
        -----
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.
        """
        owner = "Results.label_efficiency"
        metric = _comparison.check_metric(metric, self.frame, owner)
        frame = self._compared(_seeds.comparable)
        return _comparison.efficiency(frame, metric, baseline, owner)

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
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.

        References
        ----------
        J. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal. "Deep Batch Active Learning by
        Diverse, Uncertain Gradient Lower Bounds". arXiv:1906.03671, 2020, its pairwise comparisons.
        """
        owner = "Results.penalty_matrix"
        metric = _comparison.check_metric(metric, self.frame, owner)
        alpha = _comparison.check_share("alpha", alpha, owner)
        frame = self._compared(_seeds.finished)
        return _comparison.penalties(frame, metric, alpha, budgets, owner)

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
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.

        References
        ----------
        J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006.
        """
        owner = "Results.wilcoxon"
        metric = _comparison.check_metric(metric, self.frame, owner)
        frame = self._compared(_seeds.finished)
        return _comparison.wilcoxon_tests(_comparison.blocks(frame, metric, over, owner))

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
        UnfinishedRunsWarning
            If some runs are not finished, or strategies have other seeds than the rest.

        References
        ----------
        J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006,
        section 3.2.2.
        """
        owner = "Results.critical_differences"
        metric = _comparison.check_metric(metric, self.frame, owner)
        alpha = _comparison.check_share("alpha", alpha, owner)
        frame = self._compared(_seeds.finished)
        table = _comparison.blocks(frame, metric, over, owner)
        return _comparison.critical_differences(table, alpha)
