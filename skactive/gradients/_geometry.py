"""Layers whose parameter gradients follow from their input and the gradient at their output.

Each is written as a convolution over positions: with P the patches of the layer's input,
(N, G, d, T) for G groups, d inputs a patch and T positions, and δ the gradient at its output,
(N, O, T), sample n's weight gradient is δ[n] P[n]ᵀ, group by group, and its bias gradient the sum
of δ[n] over positions. A linear layer is a 1×1 convolution over its rows or tokens; a batch
normalisation in evaluation mode is a 1×1 convolution of the normalised input, a group a channel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Geometry(ABC):
    """The patches and outputs of one layer.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.

    Attributes
    ----------
    n_groups, n_outputs, patch_size : int
        G, O and d.
    """

    n_groups: int
    n_outputs: int
    patch_size: int

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @abstractmethod
    def fits(self, a: Tensor, n: int) -> bool:
        """Tell whether an input can be that of a batch of n samples, one after the other."""

    @abstractmethod
    def patches(self, a: Tensor, n: int) -> Tensor:
        """Return P, (N, G, d, T); never a view of the input, which the network may overwrite."""

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        """Return rows of P, counted through all groups: (N, len(index), T)."""
        return self.patches(a, n).flatten(1, 2)[:, index]

    def outputs(self, delta: Tensor, n: int) -> Tensor:
        """Return the gradient at the output as (N, O, T)."""
        return delta.reshape(n, self.n_outputs, -1)

    def entry(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output channel and the row of P of flat positions in the weight."""
        channel = position // self.patch_size
        group = channel // (self.n_outputs // self.n_groups)
        return channel, group * self.patch_size + position % self.patch_size


class LinearGeometry(Geometry):
    """Linear, on one row a sample or on many: tokens, pixels last, time folded into the batch."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer)
        self.n_groups, self.n_outputs, self.patch_size = 1, layer.out_features, layer.in_features

    def fits(self, a: Tensor, n: int) -> bool:
        return a.ndim >= 2 and a[..., 0].numel() % n == 0

    def patches(self, a: Tensor, n: int) -> Tensor:
        rows = a.reshape(n, 1, -1, self.patch_size)
        return rows.clone().transpose(2, 3)

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        return a.reshape(n, -1, self.patch_size)[..., index].mT

    def outputs(self, delta: Tensor, n: int) -> Tensor:
        return delta.reshape(n, -1, self.n_outputs).mT


class Conv2dGeometry(Geometry):
    """Conv2d of every stride, padding, padding mode, dilation and number of groups."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer)
        self.n_groups, self.n_outputs = layer.groups, layer.out_channels
        self.patch_size = layer.weight[0].numel()

    def fits(self, a: Tensor, n: int) -> bool:
        return a.ndim == 4 and len(a) == n

    def _pad(self, a: Tensor) -> Tensor:
        # The layer's own padding first, then patches without any: so circular, reflect and
        # "same" padding, which F.unfold does not know, are right too.
        padding = self.layer._reversed_padding_repeated_twice
        mode = "constant" if self.layer.padding_mode == "zeros" else self.layer.padding_mode
        return F.pad(a, padding, mode=mode) if any(padding) else a

    def patches(self, a: Tensor, n: int) -> Tensor:
        layer = self.layer
        rows = F.unfold(self._pad(a), layer.kernel_size, layer.dilation, stride=layer.stride)
        return rows.view(n, self.n_groups, self.patch_size, -1)

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        layer, a = self.layer, self._pad(a)
        (height, width), (down, right) = layer.kernel_size, layer.stride
        (apart_v, apart_h) = layer.dilation
        tall = (a.shape[2] - apart_v * (height - 1) - 1) // down + 1
        wide = (a.shape[3] - apart_h * (width - 1) - 1) // right + 1
        rows = a.new_empty(n, len(index), tall, wide)
        offset = index % (height * width)
        for at in offset.unique().tolist():  # one slice an offset (u, v) of the kernel
            u, v = divmod(at, width)
            top, left = u * apart_v, v * apart_h
            moved = a[
                :, :, top : top + (tall - 1) * down + 1 : down,
                left : left + (wide - 1) * right + 1 : right,
            ]  # fmt: skip
            here = torch.nonzero(offset == at).flatten()
            rows[:, here] = moved[:, index[here] // (height * width)]
        return rows.flatten(2)


class BatchNormGeometry(Geometry):
    """Batch normalisation by running statistics."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.n_groups = self.n_outputs = layer.num_features
        self.patch_size = 1

    def fits(self, a: Tensor, n: int) -> bool:
        return a.ndim >= 2 and len(a) == n

    def patches(self, a: Tensor, n: int) -> Tensor:
        return self._normalise(a.reshape(n, self.n_outputs, -1), slice(None))[:, :, None]

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        return self._normalise(a.reshape(n, self.n_outputs, -1)[:, index], index)

    def _normalise(self, a: Tensor, channels: Tensor | slice) -> Tensor:
        mean, variance = self.layer.running_mean[channels], self.layer.running_var[channels]
        return (a - mean[:, None]) * (variance[:, None] + self.layer.eps).rsqrt()


def geometry_of(layer: nn.Module) -> Geometry | None:
    """Return the geometry of a layer that has one, by its exact type; None for the others."""
    if type(layer) is nn.Linear:
        return LinearGeometry(layer)
    if type(layer) is nn.Conv2d:
        return Conv2dGeometry(layer)
    if type(layer) in BATCH_NORMS:
        return BatchNormGeometry(layer)
    return None
