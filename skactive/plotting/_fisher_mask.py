"""A mask: how much of each layer it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._device import unwrap
from skactive._validation import invalid
from skactive.plotting._display import LITERAL, Display, label_axes
from skactive.plotting._style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import nn

_OWNER = "FisherMaskDisplay.from_mask"
# At most this many bars are named one by one; beyond that, every few.
_MOST_NAMES = 80


@dataclass(kw_only=True, eq=False, repr=False)
class FisherMaskDisplay(Display):
    """How much of each parameter tensor a mask keeps.

    Make it with `from_mask`. The keyword arguments of `plot` go to `barh`.

    A bar per tensor, from the input to the output, has the share of it that is kept, on a
    logarithmic scale, since the last layer is often kept whole, and a thousandth of others. Beside
    each bar stands the number of parameters.

    Parameters
    ----------
    names : list of str
        The tensors' names, in the order of the network.
    kept : ndarray of int, of shape (n_tensors,)
        Number of parameters of each that the mask keeps.
    sizes : ndarray of int, of shape (n_tensors,)
        Number of parameters that each has.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars, one per tensor.

    Examples
    --------
    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import FisherMaskDisplay
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1, bias=False))
    >>> display = FisherMaskDisplay.from_mask(
    ...     torch.tensor([1, 4, 8, 9]), module, ax=Figure().subplots())
    >>> dict(zip(display.names, display.kept.tolist()))
    {'0.weight': 2, '0.bias': 0, '1.weight': 2}
    """

    names: Sequence[str]
    kept: np.ndarray
    sizes: np.ndarray

    @classmethod
    def from_mask(
        cls, mask: Any, module: nn.Module, *, ax: Any = None, **kwargs: Any
    ) -> FisherMaskDisplay:
        """Draw how much of each tensor of a network a mask keeps.

        Parameters
        ----------
        mask : array or tensor of int, of shape (k,)
            Flat positions among the trainable parameters, as `FisherMask.choose_mask` and
            `skactive.fisher.parameter_mask` return them.
        module : torch.nn.Module
            The network, such as the `module_` of a fitted `CNNClassifier`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        FisherMaskDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If the mask is not one of this network.
        """
        trainable = {n: p for n, p in unwrap(module).named_parameters() if p.requires_grad}
        sizes = np.array([p.numel() for p in trainable.values()], dtype=np.int64)
        P = int(sizes.sum())
        positions = np.asarray(mask.cpu() if hasattr(mask, "cpu") else mask)
        good = positions.ndim == 1 and len(positions) > 0 and positions.dtype.kind in "iu"
        if not good or positions.min() < 0 or positions.max() >= P:
            raise invalid(
                "mask",
                _OWNER,
                f"flat positions from 0 to {P - 1}, at least one",
                mask,
                "Pass the mask of this network, as FisherMask.choose_mask returns it.",
            )
        bounds = np.concatenate([[0], sizes.cumsum()])
        kept = np.histogram(positions, bounds)[0]
        return cls(names=list(trainable), kept=kept, sizes=sizes).plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return 5.2, 0.4 + 0.19 * min(len(self.names), _MOST_NAMES)

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        n = len(self.names)
        at = np.arange(n)
        self._draw_bars(ax, at, kwargs)
        if n <= _MOST_NAMES:
            self._write_counts(ax)
        step = -(-n // _MOST_NAMES)
        ax.set_yticks(at[::step], list(self.names)[::step], fontsize=7, **LITERAL)
        ax.set_ylim(n - 0.4, -0.6)  # the input is at the top
        total, P = int(np.sum(self.kept)), int(np.sum(self.sizes))
        label_axes(ax, f"share of the tensor that is kept ({total:,} of {P:,} in all)")
        ax.xaxis.set_major_formatter(_percent)
        ax.xaxis.set_minor_formatter(lambda *_: "")
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)

    def _draw_bars(self, ax: Axes, at: np.ndarray, kwargs: Mapping[str, Any]) -> None:
        share = np.asarray(self.kept) / np.asarray(self.sizes)
        lowest = 10.0 ** np.floor(np.log10(share[share > 0].min() / 1.5)) if share.any() else 0.1
        options = {"height": 0.7, "color": style(0).color, **kwargs}
        self.bars_ = ax.barh(at, np.maximum(share - lowest, 0), left=lowest, **options)
        ax.set_xscale("log")
        ax.set_xlim(lowest, 1)

    def _write_counts(self, ax: Axes) -> None:
        for i, (kept, size) in enumerate(zip(self.kept, self.sizes, strict=True)):
            ax.annotate(
                f"{kept:,} of {size:,}",
                (1, i),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color="black" if kept else "0.6",
                annotation_clip=False,
            )


def _percent(share: float, _: float) -> str:
    return f"{100 * share:g} %"
