"""What stopping rules would have saved, and what they would have lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._display import Display, label_axes, legend, line_options, tidy
from skactive.plotting._style import check_metric, metric_title, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class StoppingPointsDisplay(Display):
    """The labels that each stopping rule would have saved against what it would have lost.

    A mark per run that the rule would have ended, none for a run that it would have let go on; the
    legend counts them. Make it with `from_results`. The keyword arguments of `plot` go to
    `Axes.plot`.

    Parameters
    ----------
    rules : list of str
        The rules.
    saved : list of ndarray of shape (n_runs,)
        Per rule, the labels between where it said to stop and the end of each run; NaN where it
        never said so.
    lost : list of ndarray of shape (n_runs,)
        By how much the measurement was better at the end of the run than where the rule said to
        stop: the difference, or for `log_loss` and `ece`, of which less is better, its opposite.
    score_name : str
        What the measurement is; in the label of the vertical axis.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import StoppingPointsDisplay
    >>> display = StoppingPointsDisplay(
    ...     rules=["Agreement"], saved=[np.array([200, np.nan])], lost=[np.array([0.01, np.nan])],
    ...     score_name="test accuracy")
    >>> legend = display.plot(ax=Figure().subplots()).ax_.get_legend()
    >>> legend.get_texts()[0].get_text()
    'Agreement (1 of 2 runs)'
    """

    rules: Sequence[str]
    saved: Sequence[np.ndarray]
    lost: Sequence[np.ndarray]
    score_name: str

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        dataset: str | None = None,
        strategy: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> StoppingPointsDisplay:
        """Draw the rules of an experiment that had `stopping=`.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        metric : str, default="accuracy"
            The measurement.
        dataset : str, default=None
            The data set; None means the only one there is.
        strategy : str, default=None
            The strategy whose runs are drawn; None means all.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        StoppingPointsDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If there were no rules, or the measurement or the strategy is missing.
        """
        cls._check_results(results)
        owner = "StoppingPointsDisplay.from_results"
        metric = check_metric(metric, results, owner)
        points = results.on(dataset).stopping_points(metric)
        if strategy is not None:
            known = list(dict.fromkeys(points["strategy"]))
            if strategy not in known:
                raise invalid("strategy", owner, f"one of {', '.join(map(str, known))}", strategy)
            points = points[points["strategy"] == strategy]
        rules = {str(name): rows for name, rows in points.groupby("rule", sort=False)}
        display = cls(
            rules=list(rules),
            saved=[rows["saved"].to_numpy(float) for rows in rules.values()],
            lost=[rows["lost"].to_numpy(float) for rows in rules.values()],
            score_name=metric_title(metric),
        )
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return 5.6, 3.6

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        ax.axhline(0, color="0.75", linewidth=1, zorder=0)
        marks, names = [], []
        for i, (rule, saved, lost) in enumerate(
            zip(self.rules, self.saved, self.lost, strict=True)
        ):
            colour, marker, _ = style(i)
            ours = {"color": colour, "marker": marker, "linestyle": "none", "alpha": 0.8}
            ended = np.isfinite(saved)
            marks += ax.plot(
                saved[ended], lost[ended], **line_options({**ours, "label": rule}, kwargs)
            )
            names.append(f"{rule} ({ended.sum()} of {len(saved)} runs)")
        label_axes(ax, "labels saved", f"{self.score_name}, lost")
        legend(ax, marks, names, "would have ended")
        tidy(ax)
