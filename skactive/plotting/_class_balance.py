"""Which classes a strategy asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._style import (
    axes_or_new,
    check_queried,
    class_name,
    heat_map,
    strategy_names,
)

if TYPE_CHECKING:
    from skactive.experiments import Results


class ClassBalanceDisplay:
    """The shares of the classes among the images that were asked for, a row per strategy.

    Make it with `from_results`.

    Parameters
    ----------
    shares : ndarray of shape (n_strategies, n_classes)
        The shares; each row sums to 1.
    strategies : list of str
        The strategies.
    classes : list of str
        The classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the heat map.
    figure_ : matplotlib Figure
        The figure with the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import ClassBalanceDisplay
    >>> display = ClassBalanceDisplay(
    ...     shares=np.array([[0.2, 0.8]]), strategies=["Margin"], classes=["cat", "dog"])
    >>> [text.get_text() for text in display.plot(ax=Figure().subplots()).ax_.texts]
    ['0.20', '0.80']
    """

    def __init__(
        self, *, shares: np.ndarray, strategies: Sequence[str], classes: Sequence[str]
    ) -> None:
        self.shares = shares
        self.strategies = strategies
        self.classes = classes

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        dataset: str | None = None,
        class_names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> ClassBalanceDisplay:
        """Draw what was asked for in all rounds, averaged over the seeds.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        dataset : str, default=None
            The data set; None means the only one there is.
        class_names : sequence of str, default=None
            Write these instead of the labels: label 0 is the first. Labels that are words are
            written as they are.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ClassBalanceDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was asked for.
        """
        results = check_queried(results.on(dataset), "ClassBalanceDisplay")
        names = strategy_names(results)
        # Recall is known of every class of the test data, asked for or not.
        known = {
            c
            for column in ("queried_classes", "recall")
            for of in results.frame[column]
            for c in of
        }
        classes = sorted(known, key=lambda c: (not c.isdigit(), int(c) if c.isdigit() else 0, c))
        counts = np.zeros((len(names), len(classes)))
        for name, of_round in results.frame[["strategy", "queried_classes"]].itertuples(
            index=False
        ):
            for c, n in of_round.items():
                counts[names.index(name), classes.index(c)] += n
        shown = [class_name(c, class_names) for c in classes]
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return cls(shares=shares, strategies=names, classes=shown).plot(ax=ax)

    def plot(self, ax: Any = None) -> ClassBalanceDisplay:
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ClassBalanceDisplay
            The display itself.
        """
        n_rows, n_columns = self.shares.shape
        self.ax_, self.figure_ = axes_or_new(ax, (2 + 0.55 * n_columns, 1.4 + 0.32 * n_rows))
        rows, columns = list(self.strategies), list(self.classes)
        heat_map(self.ax_, self.shares, rows, columns, top=float(self.shares.max()))
        self.ax_.set_title("classes of the images that were asked for, shares", fontsize=9)
        return self
