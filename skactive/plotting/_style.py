"""How pictures tell strategies apart: in colour, in print, and to the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from skactive._validation import invalid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from skactive.experiments import Results

_TITLES = {
    "accuracy": "test accuracy",
    "balanced_accuracy": "balanced test accuracy",
    "macro_f1": "test F1 score, mean of the classes",
    "log_loss": "test log-loss (nats)",
    "ece": "expected calibration error",
}
_MOST_IN_ONE_COLUMN = 7

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


def check_metric(metric: Any, results: Results, owner: str) -> str:
    """Return the name of a measurement, or raise and list the valid ones."""
    if not (isinstance(metric, str) and metric in results.metrics):
        raise invalid("metric", owner, f"one of {', '.join(results.metrics)}", metric)
    return metric


def check_queried(results: Results, owner: str) -> Results:
    """Return results in which something was asked for, or raise."""
    if not results.frame["queried"].map(len).any():
        raise invalid("results", owner, "results with at least one query", results)
    return results


def metric_title(metric: str) -> str:
    """Return what an axis calls a measurement."""
    return _TITLES.get(metric, metric.replace("_", " "))


def class_name(label: Any, class_names: Sequence[str] | None) -> str:
    """Return what to call a class: label 0 has the first name, and words are names themselves."""
    text = str(label)
    if class_names is None or not text.isdecimal() or int(text) >= len(class_names):
        return text
    return str(class_names[int(text)])


def strategy_names(results: Results) -> list[str]:
    """Return the strategies in the order of the results, which is that of the styles."""
    return [str(name) for name in dict.fromkeys(results.frame["strategy"])]


def legend(ax: Axes, title: str, n_entries: int) -> None:
    """Put a legend inside the axes, or beside them where it is long."""
    if n_entries <= _MOST_IN_ONE_COLUMN:
        ax.legend(title=title, alignment="left", edgecolor="none", framealpha=0.8)
    else:
        ax.legend(
            title=title,
            alignment="left",
            edgecolor="none",
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            fontsize="small",
        )


def tidy(ax: Axes) -> None:
    """Draw a faint grid behind the data, and no frame above and to the right."""
    ax.grid(color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def heat_map(
    ax: Axes, values: Any, rows: list[str], columns: list[str], digits: int = 2, top: float = 1
) -> Any:
    """Draw a matrix in shades of one colour, with its numbers, which need no colour in print.

    Returns the image. `top` is the value of the darkest shade.
    """
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if value == value:  # not NaN
                shade = "white" if value > 0.6 * top else "black"
                text = "0" if value == 0 else f"{value:.{digits}f}"
                ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=8)
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image
