"""What a strategy costs in time, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._style import (
    axes_or_new,
    check_metric,
    check_queried,
    legend,
    metric_title,
    strategy_names,
    style,
    tidy,
)

if TYPE_CHECKING:
    from skactive.experiments import Results


class TimeAccuracyDisplay:
    """Seconds per query against the mean height of the learning curve, a mark per strategy.

    Make it with `from_results`.

    Parameters
    ----------
    strategies : list of str
        The strategies.
    seconds : ndarray of shape (n_strategies,)
        Mean wall-clock seconds per query.
    scores : ndarray of shape (n_strategies,)
        Means over the seeds.
    spreads : ndarray of shape (n_strategies,)
        Their standard deviations.
    score_name : str
        What the scores are; the label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the marks.
    figure_ : matplotlib Figure
        The figure with the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import TimeAccuracyDisplay
    >>> display = TimeAccuracyDisplay(
    ...     strategies=["Margin", "Random"], seconds=np.array([0.5, 0.001]),
    ...     scores=np.array([0.8, 0.7]), spreads=np.array([0.01, 0.02]), score_name="accuracy")
    >>> display.plot(ax=Figure().subplots()).ax_.get_xscale()
    'log'
    """

    def __init__(
        self,
        *,
        strategies: Sequence[str],
        seconds: np.ndarray,
        scores: np.ndarray,
        spreads: np.ndarray,
        score_name: str,
    ) -> None:
        self.strategies = strategies
        self.seconds = seconds
        self.scores = scores
        self.spreads = spreads
        self.score_name = score_name

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        dataset: str | None = None,
        ax: Any = None,
    ) -> TimeAccuracyDisplay:
        """Draw the strategies of an experiment.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        metric : str, default="accuracy"
            The measurement whose area under the budget curve is drawn.
        dataset : str, default=None
            The data set; None means the only one there is.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        TimeAccuracyDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was asked for.
        """
        metric = check_metric(metric, results, "TimeAccuracyDisplay.from_results")
        results = check_queried(results.on(dataset), "TimeAccuracyDisplay")
        names = strategy_names(results)
        areas = results.aubc(metric).groupby("strategy")["aubc"]
        seconds = results.frame.groupby("strategy")["query_seconds"].mean()
        return cls(
            strategies=names,
            seconds=seconds[names].to_numpy(),
            scores=areas.mean()[names].to_numpy(),
            spreads=areas.std()[names].fillna(0).to_numpy(),
            score_name=f"{metric_title(metric)}, mean over the budgets",
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> TimeAccuracyDisplay:
        """Draw a mark and one standard deviation over the seeds for each strategy.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        TimeAccuracyDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_or_new(ax, (6.4, 4.0))
        marks = zip(self.strategies, self.seconds, self.scores, self.spreads, strict=True)
        for i, (name, seconds, score, spread) in enumerate(marks):
            colour, marker, _ = style(i)
            self.ax_.errorbar(
                seconds,
                score,
                spread,
                color=colour,
                marker=marker,
                markersize=7,
                capsize=3,
                linestyle="none",
                label=name,
            )
        self.ax_.set_xscale("log")
        self.ax_.set_xlabel("seconds per query")
        self.ax_.set_ylabel(self.score_name)
        legend(self.ax_, "mean ± sd of the seeds", len(self.strategies))
        tidy(self.ax_)
        return self
