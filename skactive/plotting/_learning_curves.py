"""Learning curves: a measurement over the number of labels, a line per strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._style import (
    axes_or_new,
    check_metric,
    legend,
    metric_title,
    style,
    tidy,
)

if TYPE_CHECKING:
    from skactive.experiments import Results

_MOST_TICKS = 12
_MOST_BANDS = 7  # more of them hide each other


class LearningCurvesDisplay:
    """Learning curves of query strategies.

    Make it with `from_results`.

    Parameters
    ----------
    n_labelled : dict of str to ndarray of shape (n_points,)
        The numbers of labels, by strategy.
    scores : dict of str to ndarray of shape (n_seeds, n_points)
        What was measured, by strategy; NaN where a seed has not got that far.
    score_name : str
        What the scores are; the label of the vertical axis.
    bands : dict of str to pair of ndarray of shape (n_points,), default=None
        The lower and upper ends of intervals, by strategy; None draws one standard deviation.
    band_name : str, default="sd"
        What the bands are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the curves.
    figure_ : matplotlib Figure
        The figure with the axes.
    lines_ : list of matplotlib Line2D
        The mean curves.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import LearningCurvesDisplay
    >>> display = LearningCurvesDisplay(
    ...     n_labelled={"Margin": np.array([20, 40, 60])},
    ...     scores={"Margin": np.array([[0.4, 0.5, 0.7], [0.5, 0.6, 0.7]])},
    ...     score_name="test accuracy")
    >>> display.plot(ax=Figure().subplots()).ax_.get_xlabel()
    'labelled images'
    """

    def __init__(
        self,
        *,
        n_labelled: Mapping[str, np.ndarray],
        scores: Mapping[str, np.ndarray],
        score_name: str,
        bands: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
        band_name: str = "sd",
    ) -> None:
        self.n_labelled = n_labelled
        self.scores = scores
        self.score_name = score_name
        self.bands = bands
        self.band_name = band_name

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        dataset: str | None = None,
        interval: str = "sd",
        ax: Any = None,
    ) -> LearningCurvesDisplay:
        """Draw the learning curves of an experiment.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        metric : str, default="accuracy"
            The measurement to draw, one of `results.metrics`.
        dataset : str, default=None
            The data set; None means the only one there is.
        interval : {"sd", "bootstrap"}, default="sd"
            The bands: one standard deviation to either side, or bootstrap intervals of the mean
            that hold 95 %.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        LearningCurvesDisplay
            The display, drawn.
        """
        owner = "LearningCurvesDisplay.from_results"
        metric = check_metric(metric, results, owner)
        if interval not in {"sd", "bootstrap"}:
            raise invalid("interval", owner, "'sd' or 'bootstrap'", interval)
        results = results.on(dataset)
        n_labelled, scores, bands = {}, {}, None
        for name, of_strategy in results.frame.groupby("strategy", sort=False):
            by_seed = of_strategy.pivot_table(  # (n_seeds, n_points)
                index="seed", columns="n_labelled", values=metric, dropna=False
            )
            n_labelled[str(name)] = by_seed.columns.to_numpy()
            scores[str(name)] = by_seed.to_numpy()
        if interval == "bootstrap":
            by_strategy = results.intervals(metric).groupby("strategy", sort=False)
            bands = {
                str(name): (table["low"].to_numpy(), table["high"].to_numpy())
                for name, table in by_strategy
            }
        display = cls(
            n_labelled=n_labelled,
            scores=scores,
            score_name=metric_title(metric),
            bands=bands,
            band_name="sd" if bands is None else "95 % bootstrap interval",
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> LearningCurvesDisplay:
        """Draw the mean over the seeds, and the bands, if there are not too many to tell apart.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        LearningCurvesDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_or_new(ax, (6.4, 4.4))
        self.lines_ = []
        n_seeds, with_bands = 0, len(self.scores) <= _MOST_BANDS
        for i, (name, scores) in enumerate(self.scores.items()):
            x, mean = self.n_labelled[name], np.nanmean(scores, axis=0)
            n_seeds = max(n_seeds, len(scores))
            color, marker, linestyle = style(i)
            (line,) = self.ax_.plot(
                x, mean, color=color, marker=marker, linestyle=linestyle, markersize=5, label=name
            )
            self.lines_.append(line)
            if with_bands:
                low, high = _one_sd(scores) if self.bands is None else self.bands[name]
                self.ax_.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        budgets = sorted({int(n) for of_strategy in self.n_labelled.values() for n in of_strategy})
        if len(budgets) <= _MOST_TICKS:
            self.ax_.set_xticks(budgets)
        self.ax_.set_xlabel("labelled images")
        self.ax_.set_ylabel(self.score_name)
        band = "mean ± sd" if self.band_name == "sd" else f"mean, {self.band_name}"
        band = band if with_bands else "mean"
        title = f"{band} over {n_seeds} seeds" if n_seeds > 1 else "one seed"
        legend(self.ax_, title, len(self.scores))
        tidy(self.ax_)
        return self


def _one_sd(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean minus and plus the standard deviation, which counts as 0 for one value."""
    mean = np.nanmean(scores, axis=0)
    known = (~np.isnan(scores)).sum(axis=0)
    squares = np.nansum((scores - mean) ** 2, axis=0)
    sd = np.sqrt(squares / np.maximum(known - 1, 1))
    return mean - sd, mean + sd
