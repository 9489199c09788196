"""Learning curves: a measurement over the number of labels, a line per strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._display import Display, label_axes, legend, line_options, tidy
from skactive.plotting._style import check_metric, comparable_on, metric_title, noted, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results

_MOST_TICKS = 12
_MOST_BANDS = 7  # more of them hide each other


@dataclass(kw_only=True, eq=False, repr=False)
class LearningCurvesDisplay(Display):
    """Learning curves of query strategies.

    Make it with `from_results`. The keyword arguments of `plot` go to the lines of the means.

    Parameters
    ----------
    n_labelled : dict of str to ndarray of shape (n_points,)
        The numbers of labels, by strategy.
    scores : dict of str to ndarray of shape (n_seeds, n_points)
        What was measured, by strategy. The curve has a gap where a seed has NaN, and ends where
        one of its seeds does.
    score_name : str
        What the scores are; the label of the vertical axis.
    bands : dict of str to pair of ndarray of shape (n_points,), default=None
        The lower and upper ends of intervals, by strategy; None draws one standard deviation.
    band_name : str, default="sd"
        What the bands are.
    notes : dict of str to str, default=None
        What to write behind the names of strategies, such as "2 of 3 seeds".

    Attributes
    ----------
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

    n_labelled: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    score_name: str
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None
    band_name: str = "sd"
    notes: Mapping[str, str] | None = None

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        dataset: str | None = None,
        interval: str = "sd",
        ax: Any = None,
        **kwargs: Any,
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
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        LearningCurvesDisplay
            The display, drawn.
        """
        cls._check_results(results)
        owner = "LearningCurvesDisplay.from_results"
        metric = check_metric(metric, results, owner)
        if interval not in {"sd", "bootstrap"}:
            raise invalid("interval", owner, "'sd' or 'bootstrap'", interval)
        counted, notes = comparable_on(results, dataset)
        n_labelled, scores, bands = {}, {}, None
        for name, of_strategy in counted.frame.groupby("strategy", sort=False):
            by_seed = of_strategy.pivot_table(  # (n_seeds, n_points)
                index="seed", columns="n_labelled", values=metric, dropna=False
            )
            n_labelled[str(name)] = by_seed.columns.to_numpy()
            scores[str(name)] = by_seed.to_numpy()
        if interval == "bootstrap":
            by_strategy = results.on(dataset).intervals(metric).groupby("strategy", sort=False)
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
            notes=notes,
        )
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return (5.6, 3.8) if len(self.scores) <= 20 else (7.0, 5.0)

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        self.lines_ = []
        with_bands = len(self.scores) <= _MOST_BANDS
        for i, (name, scores) in enumerate(self.scores.items()):
            # Where some seed has no value, the others alone would be another mean: none is drawn.
            x, mean = self.n_labelled[name], np.mean(scores, axis=0)
            ours = {**style(i)._asdict(), "markersize": 5, "label": name}
            (line,) = ax.plot(x, mean, **line_options(ours, kwargs))
            self.lines_.append(line)
            if with_bands:
                low, high = _one_sd(scores) if self.bands is None else self.bands[name]
                ax.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        budgets = sorted({int(n) for of_strategy in self.n_labelled.values() for n in of_strategy})
        if len(budgets) <= _MOST_TICKS:
            ax.set_xticks(budgets)
        label_axes(ax, "labelled images", self.score_name)
        legend(ax, self.lines_, noted(self.scores, self.notes), self._legend_title(with_bands))
        tidy(ax)

    def _legend_title(self, with_bands: bool) -> str:
        n_seeds = max(map(len, self.scores.values()), default=0)
        band = "mean ± sd" if self.band_name == "sd" else f"mean, {self.band_name}"
        band = band if with_bands else "mean"
        return f"{band} over {n_seeds} seeds" if n_seeds > 1 else "one seed"


def _one_sd(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean minus and plus the standard deviation, which counts as 0 for one seed."""
    mean = np.mean(scores, axis=0)
    sd = np.std(scores, axis=0, ddof=1) if len(scores) > 1 else 0
    return mean - sd, mean + sd
