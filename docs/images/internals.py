"""Draws internals.png: from a network to factors, and from factors to a batch."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

INK, GRADIENTS, FACTORS, BATCH = "#222222", "#dbe9f6", "#e4f2dc", "#fdebd0"


def box(ax: Axes, x: float, y: float, w: float, h: float, title: str, text: str, fill: str) -> None:
    """Draw a box with a title and a few lines."""
    ax.add_patch(plt.Rectangle((x, y), w, h, facecolor=fill, edgecolor=INK, lw=0.8))
    ax.text(x + w / 2, y + h - 0.22, title, ha="center", va="top", weight="bold", fontsize=10)
    ax.text(x + w / 2, y + h - 0.62, text, ha="center", va="top", fontsize=8.5, linespacing=1.35)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """Draw an arrow, with words beside its middle."""
    ax.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1})
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    if start[0] == end[0]:
        ax.text(x + 0.12, y, text, fontsize=8, va="center")
    else:
        ax.text(x, y + 0.08, text, fontsize=8, ha="center", va="bottom")


def engine(ax: Axes) -> None:
    """The upper half: how a batch of samples becomes rows of V."""
    box(
        ax,
        0.1,
        3.5,
        2.8,
        1.6,
        "Geometry",
        "what a layer is:\na convolution over positions,\npatches P of its input",
        GRADIENTS,
    )
    box(
        ax,
        3.3,
        3.5,
        2.8,
        1.6,
        "Taker",
        "what is wanted of $\\delta P^T$:\nmasked entries, squares,\nnorms, or δ and P apart",
        GRADIENTS,
    )
    box(
        ax,
        6.5,
        3.5,
        2.8,
        1.6,
        "Tape",
        "one forward pass, then a\nbackward pass per row of S;\nhooks hand δ to the takers",
        GRADIENTS,
    )
    box(
        ax,
        9.7,
        3.5,
        2.8,
        1.6,
        "Plan",
        "which parameter goes which\nway: fast, torch.func or plain,\nchecked against autograd",
        GRADIENTS,
    )
    ax.text(3.1, 4.3, "×", fontsize=14, ha="center", va="center")
    ax.text(6.3, 4.3, "×", fontsize=14, ha="center", va="center")
    ax.text(9.5, 4.3, "×", fontsize=14, ha="center", va="center")
    arrow(ax, (1.9, 3.45), (1.9, 2.75), r"rows $\sqrt{p_c}\,\partial \log p_c$, on the mask")


def loop(ax: Axes) -> None:
    """The lower half: what is kept, and what a pick changes."""
    box(
        ax,
        0.1,
        0.2,
        3.6,
        2.5,
        "V   per sample, C × k",
        "factors: $I(x) = V^T V$\n\nlast layer: $S \\otimes h$,\n$C^2 + D$ numbers\n"
        "other weights: dense",
        FACTORS,
    )
    box(
        ax,
        4.5,
        0.2,
        3.6,
        2.5,
        "A, T   per sample, C × C",
        "$A = V W V^T$\n$T + T^T = V W I_T W V^T$\n\ngain = tr$\\,[(I + A)^{-1} (T + T^T)]$",
        FACTORS,
    )
    box(
        ax,
        8.9,
        0.2,
        3.6,
        2.5,
        "W, Q   per batch, k × k",
        "$W = M^{-1},\\;\\; Q = W I_T W$\n\nobjective = tr$\\,(W I_T)$\n"
        "$W$ changes by $-U U^T$ per pick",
        BATCH,
    )
    arrow(ax, (3.72, 1.9), (4.48, 1.9), "start")
    arrow(ax, (8.12, 1.9), (8.88, 1.9), "best x")
    arrow(ax, (8.88, 0.7), (8.12, 0.7), "U, H")
    arrow(ax, (3.72, 0.7), (4.48, 0.7), "V [U, H]")


figure, axes = plt.subplots(figsize=(9.4, 4.1), layout="constrained")
engine(axes)
loop(axes)
axes.set(xlim=(0, 12.6), ylim=(0.1, 5.2))
axes.axis("off")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
