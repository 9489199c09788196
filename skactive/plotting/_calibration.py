"""Whether confidence can be trusted: accuracy over confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._display import Display, label_axes, legend, line_options, tidy
from skactive.plotting._style import comparable_on, noted, strategy_names, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class CalibrationCurvesDisplay(Display):
    """Accuracy over confidence on the test data, a line per strategy.

    Make it with `from_results`. The keyword arguments of `plot` go to its lines.

    Parameters
    ----------
    confidence : dict of str to ndarray of shape (n_bins,)
        The mean confidence in each bin, by strategy; NaN where a bin is empty.
    accuracy : dict of str to ndarray of shape (n_bins,)
        The share of right predictions in each bin.
    title : str
        The title.
    notes : dict of str to str, default=None
        What to write behind the names of strategies, such as "2 of 3 seeds".

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import CalibrationCurvesDisplay
    >>> display = CalibrationCurvesDisplay(
    ...     confidence={"Margin": np.array([0.5, 0.9])},
    ...     accuracy={"Margin": np.array([0.4, 0.7])}, title="at 40 labels")
    >>> len(display.plot(ax=Figure().subplots()).ax_.lines)
    2
    """

    confidence: Mapping[str, np.ndarray]
    accuracy: Mapping[str, np.ndarray]
    title: str
    notes: Mapping[str, str] | None = None

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        dataset: str | None = None,
        n_labelled: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> CalibrationCurvesDisplay:
        """Draw the calibration at one number of labels, all seeds together.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        dataset : str, default=None
            The data set; None means the only one there is.
        n_labelled : int, default=None
            The number of labels to draw at; None means the largest.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        CalibrationCurvesDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was measured there, or the estimator has no probabilities.
        """
        cls._check_results(results)
        owner = "CalibrationCurvesDisplay"
        results, notes = comparable_on(results, dataset)
        budgets = sorted(set(results.frame["n_labelled"].tolist()))
        n_labelled = budgets[-1] if n_labelled is None and budgets else n_labelled
        if n_labelled not in budgets:
            raise invalid("n_labelled", owner, f"one of {', '.join(map(str, budgets))}", n_labelled)
        frame = results.frame[results.frame["n_labelled"] == n_labelled]
        frame = frame[frame["calibration"].map(lambda bins: isinstance(bins, dict))]
        if frame.empty:
            raise invalid("results", owner, "of an estimator with predict_proba", results)
        confidence: dict[str, np.ndarray] = {}
        accuracy: dict[str, np.ndarray] = {}
        for name in strategy_names(results):
            bins = frame.loc[frame["strategy"] == name, "calibration"]
            if bins.empty:
                continue  # it did not get this far
            # Shape (n_seeds, n_bins); the seeds have the same number of test images.
            count = np.array([of["count"] for of in bins], dtype=float)
            for values, key in [(confidence, "confidence"), (accuracy, "accuracy")]:
                means = np.array([of[key] for of in bins], dtype=float)
                total = count.sum(axis=0)
                sums = np.nansum(means * count, axis=0)
                values[name] = np.where(total > 0, sums / np.maximum(total, 1), np.nan)
        display = cls(
            confidence=confidence,
            accuracy=accuracy,
            title=f"at {n_labelled} labels",
            notes=notes,
        )
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return 4.4, 4.0

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        ax.plot([0, 1], [0, 1], color="0.5", linewidth=1, zorder=0)  # perfect calibration
        lines = []
        for i, name in enumerate(self.confidence):
            known = ~np.isnan(self.confidence[name])
            ours = {**style(i)._asdict(), "markersize": 4, "label": name}
            lines += ax.plot(
                self.confidence[name][known],
                self.accuracy[name][known],
                **line_options(ours, kwargs),
            )
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        label_axes(
            ax,
            "confidence",
            "share of right predictions",
            f"calibration {self.title}; below the diagonal: too sure",
        )
        legend(ax, lines, noted(self.confidence, self.notes))
        tidy(ax)
