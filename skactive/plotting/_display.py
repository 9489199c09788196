"""What all Displays have in common: axes, figures that fit what is drawn, legends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skactive._validation import invalid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from typing_extensions import Self

# Text that is shown as it is: names may have dollars, and underscores are no subscripts.
LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}

_MOST_IN_ONE_COLUMN = 7  # more go beside the axes
_LEGEND_FONT = 6.0, 8.5  # the smallest and the largest, beside the axes, in points
_LEGEND_LINE = 1.45  # times its font
_MARGIN = 0.15  # inches around the axes and what belongs to them, both sides together


class Display:
    """A picture: the constructor stores what it shows, `from_*` computes it, `plot` draws it.

    A subclass defines `_axes_size` and `_draw`.
    """

    ax_: Axes
    """The axes that it was drawn on."""

    figure_: Figure | SubFigure
    """The figure with the axes."""

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure, of a size that has room for all names.
        **kwargs : dict
            For matplotlib, as the class says; they come before what the Display chooses.

        Returns
        -------
        Display
            The display itself, with `ax_` and `figure_`.
        """
        if ax is None:
            return self._plot_on_new_figure(**kwargs)
        from matplotlib.axes import Axes

        if not isinstance(ax, Axes):
            remedy = "plt.subplots(1, 2) returns an array of them: pass one."
            raise invalid("ax", self, "matplotlib Axes or None", ax, remedy)
        self.ax_, self.figure_ = ax, ax.figure
        self._draw(ax, **kwargs)
        return self

    @classmethod
    def _check_results(cls, results: Any) -> None:
        """Raise for what `from_results` cannot take."""
        if not hasattr(results, "critical_differences"):
            remedy = "Results.load(folder) reads what was kept; Results.frame is a part of it."
            raise invalid("results", f"{cls.__name__}.from_results", "a Results", results, remedy)

    def _plot_on_new_figure(self, **kwargs: Any) -> Self:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(6.4, 4.8), layout="constrained")
        try:
            self.plot(figure.subplots(), **kwargs)
            fit_figure(self, figure)
        except BaseException:  # pyplot would keep, and show, a figure that is half drawn
            plt.close(figure)
            raise
        return self

    def _axes_size(self) -> tuple[float, float]:
        """Return the width and height of the axes, in inches, on a figure of their own."""
        raise NotImplementedError

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        raise NotImplementedError


def fit_figure(display: Display, figure: Figure) -> None:
    """Give a figure the size at which the axes of its only display have theirs."""
    parameters, (width, height) = figure.subplotpars, display._axes_size()
    # Layouts have no eye to titles that are wider than their axes.
    width = max(width, display.ax_.title.get_window_extent().width / figure.dpi)
    figure.set_size_inches(
        width / (parameters.right - parameters.left), height / (parameters.top - parameters.bottom)
    )
    outer: Any = display.ax_.get_tightbbox()  # None only where nothing is visible
    inner = display.ax_.get_window_extent()
    figure.set_size_inches(
        width + (outer.width - inner.width) / figure.dpi + _MARGIN,
        height + (outer.height - inner.height) / figure.dpi + _MARGIN,
    )


def line_options(ours: Mapping[str, Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a line: what the user gave, then what the Display chooses."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**ours, **normalize_kwargs(dict(kwargs), Line2D)}


def label_axes(ax: Axes, x: str = "", y: str = "", title: str = "", size: float = 9) -> None:
    """Write what the axes are, letter by letter; what is not given stays as it is."""
    if x:
        ax.set_xlabel(x, **LITERAL)
    if y:
        ax.set_ylabel(y, **LITERAL)
    if title:
        ax.set_title(title, fontsize=size, **LITERAL)


def legend(ax: Axes, artists: Sequence[Any], names: Sequence[str], title: str = "") -> None:
    """Put a legend inside the axes, or beside them, in columns as high as these, where it is long.

    The names are put in afterwards: matplotlib leaves out those that begin with an underscore.
    """
    options: dict[str, Any] = {"framealpha": 0.8}
    if len(artists) > _MOST_IN_ONE_COLUMN:
        options = _beside(len(artists), 72 * ax.get_window_extent().height / ax.figure.dpi)
    made = ax.legend(
        artists, ["–"] * len(artists), title=title, alignment="left", edgecolor="none", **options
    )
    made.get_title().set(**LITERAL)
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set(text=name, **LITERAL)


def _beside(n: int, height: float) -> dict[str, Any]:
    """Return the options of a legend beside axes of a height in points, which it does not exceed.

    Small print comes before a second column, which takes room from the axes.
    """
    smallest, largest = _LEGEND_FONT
    columns = math.ceil((n + 1) * _LEGEND_LINE * smallest / height)  # its title is a line
    lines = math.ceil(n / columns) + 1
    font = min(max(height / (_LEGEND_LINE * lines), smallest), 7.0 if columns > 1 else largest)
    place = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "borderaxespad": 0}
    return {**place, "ncols": columns, "fontsize": font, "labelspacing": 0.25}


def tidy(ax: Axes) -> None:
    """Draw a faint grid behind the data, and no frame above and to the right."""
    ax.grid(color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
