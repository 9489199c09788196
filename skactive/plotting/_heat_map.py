"""A matrix in shades of one colour, with its numbers, which need no colour in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._display import LITERAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MANY = 20  # with more rows or columns, cells and numbers are small


def heat_map_size(n_rows: int, n_columns: int) -> tuple[float, float]:
    """Return the width and height of the axes, in inches, at which the numbers have room."""
    width = n_columns * (0.32 if n_columns > _MANY else 0.45)
    return max(width, 2.5), max(n_rows * 0.3, 0.7)


def heat_map(
    ax: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    top: float,
    options: Mapping[str, Any],
) -> None:
    """Draw a matrix; NaN stays empty, and `top` is the value of the darkest shade.

    The options are those of `imshow`.
    """
    shades: dict[str, Any] = {"cmap": "Blues", "aspect": "auto"}
    if "norm" not in options:
        shades |= {"vmin": 0, "vmax": top}
    image = ax.imshow(values, **{**shades, **options})
    size = 6.5 if len(columns) > _MANY else 8
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            text = "0" if value == 0 else f"{value:.2f}"
            colour = _readable_on(image.to_rgba(value))
            ax.text(j, i, text, ha="center", va="center", color=colour, fontsize=size)
    ax.set_xticks(
        range(len(columns)),
        columns,
        rotation=40,
        ha="right",
        rotation_mode="anchor",
        **LITERAL,
    )
    ax.set_yticks(range(len(rows)), rows, **LITERAL)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _readable_on(colour: Any) -> str:
    """Return black or white, whichever is further from a colour in brightness."""
    return "black" if np.dot(colour[:3], [0.299, 0.587, 0.114]) > 0.5 else "white"
