"""Which classes a strategy asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._display import Display, label_axes
from skactive.plotting._heat_map import heat_map, heat_map_size
from skactive.plotting._style import check_queried, class_name, comparable_on, noted, strategy_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class ClassBalanceDisplay(Display):
    """The shares of the classes among the images that were asked for, a row per strategy.

    Make it with `from_results`. The keyword arguments of `plot` go to `imshow`.

    Parameters
    ----------
    shares : ndarray of shape (n_strategies, n_classes)
        The shares; each row sums to 1.
    strategies : list of str
        The strategies.
    classes : list of str
        The classes.
    notes : dict of str to str, default=None
        What to write behind the names of strategies, such as "2 of 3 seeds".

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

    shares: np.ndarray
    strategies: Sequence[str]
    classes: Sequence[str]
    notes: Mapping[str, str] | None = None

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        dataset: str | None = None,
        class_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
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
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        ClassBalanceDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If nothing was asked for.
        """
        cls._check_results(results)
        results, notes = comparable_on(results, dataset)
        check_queried(results, "ClassBalanceDisplay")
        names = strategy_names(results)
        # Recall is known of every class of the test data, asked for or not.
        known = {
            c
            for column in ("queried_classes", "recall")
            for of in results.frame[column]
            for c in of
        }
        classes = sorted(
            known, key=lambda c: (not c.isdecimal(), int(c) if c.isdecimal() else 0, c)
        )
        counts = np.zeros((len(names), len(classes)))
        for name, of_round in results.frame[["strategy", "queried_classes"]].itertuples(
            index=False
        ):
            for c, n in of_round.items():
                counts[names.index(name), classes.index(c)] += n
        shown = [class_name(c, class_names) for c in classes]
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        display = cls(shares=shares, strategies=names, classes=shown, notes=notes)
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return heat_map_size(*self.shares.shape)

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        rows, top = noted(self.strategies, self.notes), float(self.shares.max())
        heat_map(ax, self.shares, rows, list(self.classes), top, kwargs)
        label_axes(ax, title="classes of the images that were asked for, shares")
