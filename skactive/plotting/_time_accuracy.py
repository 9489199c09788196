"""What a strategy costs in time, and what it brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._display import Display, label_axes, legend, line_options, tidy
from skactive.plotting._style import (
    check_metric,
    check_queried,
    comparable_on,
    metric_title,
    noted,
    strategy_names,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class TimeAccuracyDisplay(Display):
    """Seconds per query against the mean height of the learning curve, a mark per strategy.

    Make it with `from_results`. The keyword arguments of `plot` go to `errorbar`.

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
    notes : dict of str to str, default=None
        What to write behind the names of strategies, such as "2 of 3 seeds".

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

    strategies: Sequence[str]
    seconds: np.ndarray
    scores: np.ndarray
    spreads: np.ndarray
    score_name: str
    notes: Mapping[str, str] | None = None

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        dataset: str | None = None,
        ax: Any = None,
        **kwargs: Any,
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
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        TimeAccuracyDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was asked for, or the measurement is missing.
        """
        cls._check_results(results)
        owner = "TimeAccuracyDisplay"
        metric = check_metric(metric, results, f"{owner}.from_results")
        results, notes = comparable_on(results, dataset)
        check_queried(results, owner)
        areas = results.aubc(metric).dropna().groupby("strategy")["aubc"]
        scores, spreads = areas.mean(), areas.std().fillna(0)
        # One that has not got to the last number of labels has no area to compare.
        names = [name for name in strategy_names(results) if name in scores.index]
        if not names:
            raise invalid(
                "results", owner, f"results with {metric!r} in all rounds of a run", results
            )
        seconds = results.frame.groupby("strategy")["query_seconds"].mean()
        display = cls(
            strategies=names,
            seconds=seconds[names].to_numpy(),
            scores=scores[names].to_numpy(),
            spreads=spreads[names].to_numpy(),
            score_name=f"{metric_title(metric)}, mean over the budgets",
            notes=notes,
        )
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return 5.6, 3.6

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        marks = []
        for i, name in enumerate(self.strategies):
            colour, marker, _ = style(i)
            ours = {"color": colour, "marker": marker, "markersize": 7, "linestyle": "none"}
            options = line_options({**ours, "label": name}, {"capsize": 3, **kwargs})
            mark = ax.errorbar(self.seconds[i], self.scores[i], self.spreads[i], **options)
            marks.append(mark)
        _log_scale(ax)
        label_axes(ax, "seconds per query", self.score_name)
        legend(ax, marks, noted(self.strategies, self.notes), "mean ± sd of the seeds")
        tidy(ax)


def _log_scale(ax: Axes) -> None:
    """Make seconds logarithmic, with as many plain numbers as have room beside each other."""
    from matplotlib.ticker import LogLocator

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    decades = np.log10(high / low)
    digits = range(1, 10) if decades < 0.6 else (1, 2, 5) if decades < 2.5 else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=digits))
    ax.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    ax.xaxis.set_minor_formatter(lambda *_: "")
