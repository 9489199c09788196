"""Whether confidence can be trusted: accuracy over confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._validation import invalid
from skactive.plotting._style import axes_or_new, legend, strategy_names, style, tidy

if TYPE_CHECKING:
    from skactive.experiments import Results


class CalibrationCurvesDisplay:
    """Accuracy over confidence on the test data, a line per strategy.

    Make it with `from_results`.

    Parameters
    ----------
    confidence : dict of str to ndarray of shape (n_bins,)
        The mean confidence in each bin, by strategy; NaN where a bin is empty.
    accuracy : dict of str to ndarray of shape (n_bins,)
        The share of right predictions in each bin.
    title : str
        The title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the lines.
    figure_ : matplotlib Figure
        The figure with the axes.

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

    def __init__(
        self,
        *,
        confidence: Mapping[str, np.ndarray],
        accuracy: Mapping[str, np.ndarray],
        title: str,
    ) -> None:
        self.confidence = confidence
        self.accuracy = accuracy
        self.title = title

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        dataset: str | None = None,
        n_labelled: int | None = None,
        ax: Any = None,
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

        Returns
        -------
        CalibrationCurvesDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was measured there, or the estimator has no probabilities.
        """
        owner = "CalibrationCurvesDisplay"
        results = results.on(dataset)
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
            # Shape (n_seeds, n_bins); the seeds have the same number of test images.
            count = np.array([of["count"] for of in bins], dtype=float)
            for values, key in [(confidence, "confidence"), (accuracy, "accuracy")]:
                means = np.array([of[key] for of in bins], dtype=float)
                total = count.sum(axis=0)
                sums = np.nansum(means * count, axis=0)
                values[name] = np.where(total > 0, sums / np.maximum(total, 1), np.nan)
        return cls(confidence=confidence, accuracy=accuracy, title=f"at {n_labelled} labels").plot(
            ax=ax
        )

    def plot(self, ax: Any = None) -> CalibrationCurvesDisplay:
        """Draw the lines, and the diagonal of perfect calibration.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        CalibrationCurvesDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_or_new(ax, (5.2, 4.6))
        self.ax_.plot([0, 1], [0, 1], color="0.5", linewidth=1, zorder=0)
        for i, name in enumerate(self.confidence):
            colour, marker, line = style(i)
            known = ~np.isnan(self.confidence[name])
            self.ax_.plot(
                self.confidence[name][known],
                self.accuracy[name][known],
                color=colour,
                marker=marker,
                markersize=4,
                linestyle=line,
                label=name,
            )
        self.ax_.set_xlim(0, 1)
        self.ax_.set_ylim(0, 1)
        self.ax_.set_xlabel("confidence")
        self.ax_.set_ylabel("share of right predictions")
        self.ax_.set_title(f"calibration {self.title}; below the diagonal: too sure", fontsize=9)
        legend(self.ax_, "", len(self.confidence))
        tidy(self.ax_)
        return self
