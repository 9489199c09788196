"""How pictures tell strategies apart: in colour, in print, and to the colour-blind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# The palette of M. Okabe and K. Ito (2008), without its yellow, which is faint on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")


class Style(NamedTuple):
    """How one strategy is drawn."""

    color: str
    marker: str
    linestyle: str


def style(i: int) -> Style:
    """Return the style of the i-th strategy; the marker tells it where the colour does not."""
    return Style(_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], _LINES[i % len(_LINES)])


def axes_or_new(ax: Any, size: tuple[float, float]) -> tuple[Axes, Figure | SubFigure]:
    """Return the axes to draw on and their figure; None makes a new one, as scikit-learn does."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax, ax.figure
