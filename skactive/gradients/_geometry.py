"""Layers whose parameter gradients follow from their input and the gradient at their output.

Each is written as a convolution over positions: with P the patches of the layer's input,
(N, G, d, T) for G groups, d inputs per patch and T positions, and δ the gradient at its output,
(N, O, T), sample n's weight gradient is δ[n] P[n]ᵀ, group by group, and its bias gradient the sum
of δ[n] over positions. A linear layer is a 1×1 convolution over its rows or tokens; a batch
normalisation in evaluation mode is a 1×1 convolution of the normalised input, one group per
channel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any

import torch.nn.functional as F
from torch import Tensor, nn

# An addition of numbers in memory takes about as long as this many multiplications of a product.
_ADDITION = 16


def _square_sums(values: Tensor) -> Tensor:
    """Return the sum of each sample's squares, (N,); the values are overwritten."""
    return values.flatten(1).square_().sum(1)


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
    channels_last : bool
        Whether outputs come as (N, T, O), and not as (N, O, T).
    """

    n_groups: int
    n_outputs: int
    patch_size: int
    channels_last = False

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @abstractmethod
    def fits(self, a: Tensor, n: int) -> bool:
        """Tell whether an input can be that of a batch of n samples, one after the other."""

    def by_sample(self, a: Tensor, n: int) -> Tensor:
        """Return the input with an axis of the n samples first."""
        return a

    @abstractmethod
    def patches(self, a: Tensor, n: int) -> Annotated[Tensor, "N G d T"]:
        """Return P, (N, G, d, T); it may be a view of the input."""

    def squared_norms(
        self, a: Tensor, delta: Annotated[Tensor, "N G o T"], n: int
    ) -> Annotated[Tensor, "N"]:
        """Return ‖δPᵀ‖², (N,), by forming δPᵀ; from δ as (N, G, O/G, T)."""
        return _square_sums(delta @ self.patches(a, n).mT)

    def patch_products(self, a: Tensor, n: int) -> Annotated[Tensor, "N G T T"]:
        """Return PᵀP, (N, G, T, T)."""
        patches = self.patches(a, n)
        return patches.mT @ patches

    def product_cost(self, a: Tensor, positions: int) -> int:
        """Count the multiplications that PᵀP takes per sample and group."""
        return positions**2 * self.patch_size

    @abstractmethod
    def patch_rows(
        self, a: Tensor, n: int, index: Annotated[Tensor, "rows"]
    ) -> Annotated[Tensor, "N rows T"]:
        """Return rows of P, counted through all groups: (N, len(index), T)."""

    def entry(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output channel and the row of P of flat positions in the weight."""
        channel = position // self.patch_size
        group = channel // (self.n_outputs // self.n_groups)
        return channel, group * self.patch_size + position % self.patch_size


class LinearGeometry(Geometry):
    """Linear, on one row per sample or on many: tokens, pixels last, time folded into the batch."""

    channels_last = True

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer)
        self.n_groups, self.n_outputs, self.patch_size = 1, layer.out_features, layer.in_features

    def fits(self, a: Tensor, n: int) -> bool:
        return a.ndim >= 2 and a[..., 0].numel() % n == 0

    def by_sample(self, a: Tensor, n: int) -> Tensor:
        return a.reshape(n, -1, self.patch_size)

    def patches(self, a: Tensor, n: int) -> Tensor:
        return a.reshape(n, 1, -1, self.patch_size).mT

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        return a.reshape(n, -1, self.patch_size)[..., index].mT


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

    def _windows(self, a: Tensor) -> Tensor:
        """Return P as a view of the padded input: (N, I, height, width, tall, wide)."""
        for axis in (0, 1):
            apart = self.layer.dilation[axis]
            span = apart * (self.layer.kernel_size[axis] - 1) + 1
            a = a.unfold(2 + axis, span, self.layer.stride[axis])[..., ::apart]
        return a.permute(0, 1, 4, 5, 2, 3)

    def patches(self, a: Tensor, n: int) -> Tensor:
        # This copy takes half the time of F.unfold's.
        windows = self._windows(self._pad(a))
        return windows.reshape(n, self.n_groups, self.patch_size, -1)

    def squared_norms(self, a: Tensor, delta: Tensor, n: int) -> Tensor:
        # One row of the kernel at a time: with the windows side by side along a row, those of the
        # next row of the kernel are the same numbers, moved by a row (a view, at stride 1).
        (height, width), (down, right) = self.layer.kernel_size, self.layer.stride
        (apart_v, apart_h), padded = self.layer.dilation, self._pad(a)
        beside = padded.unfold(3, apart_h * (width - 1) + 1, right)[..., ::apart_h]
        beside = beside.permute(0, 1, 4, 2, 3).contiguous()  # (N, I, width, padded tall, wide)
        tall = (padded.shape[2] - apart_v * (height - 1) - 1) // down + 1
        total = a.new_zeros(n)
        for start in range(0, height * apart_v, apart_v):
            moved = beside[:, :, :, start : start + (tall - 1) * down + 1 : down]
            rows = moved.reshape(n, self.n_groups, -1, delta.shape[3])
            total += _square_sums(delta @ rows.mT)
        return total

    def patch_rows(self, a: Tensor, n: int, index: Tensor) -> Tensor:
        height, width = self.layer.kernel_size
        channel, v, u = index // (height * width), index // width % height, index % width
        return self._windows(self._pad(a))[:, channel, v, u].flatten(2)

    def product_cost(self, a: Tensor, positions: int) -> int:
        return min(super().product_cost(a, positions), self._input_product_cost(a, positions))

    def _input_product_cost(self, a: Tensor, positions: int) -> int:
        left, right, top, bottom = self.layer._reversed_padding_repeated_twice
        pixels = (a.shape[2] + top + bottom) * (a.shape[3] + left + right)
        height, width = self.layer.kernel_size
        inputs = self.patch_size // (height * width)
        return pixels**2 * inputs + _ADDITION * (height + width) * positions**2

    def patch_products(self, a: Tensor, n: int) -> Tensor:
        padded = self._pad(a)
        tall, wide = self._windows(padded).shape[4:]
        T = tall * wide
        if super().product_cost(a, T) <= self._input_product_cost(a, T):
            return super().patch_products(a, n)
        # (PᵀP)[t, t'] = Σ_uv (aᵀa)[st + (u, v), st' + (u, v)]: the products of the input's own
        # positions are made once, not for each offset of the kernel, and added up along one axis
        # after the other.
        pixels = padded.reshape(n, self.n_groups, -1, padded[0, 0].numel())
        products = (pixels.mT @ pixels).view(n, self.n_groups, *padded.shape[2:] * 2)
        for axis, length in ((0, tall), (1, wide)):
            offsets = range(self.layer.kernel_size[axis])
            moved = [self._moved(products, axis, offset, length) for offset in offsets]
            products = moved[0].clone()
            for term in moved[1:]:
                products += term
        return products.view(n, self.n_groups, T, T)

    def _moved(self, products: Tensor, axis: int, offset: int, length: int) -> Tensor:
        """Move both positions of (N, G, tall, wide, tall, wide) products along an axis."""
        stride, start = self.layer.stride[axis], offset * self.layer.dilation[axis]
        moved = slice(start, start + (length - 1) * stride + 1, stride)
        if axis == 0:
            return products[:, :, moved, :, moved]
        return products[:, :, :, moved, :, moved]


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

    def squared_norms(self, a: Tensor, delta: Tensor, n: int) -> Tensor:
        # Σ δ (a − μ) / σ = (Σ δa − μ Σ δ) / σ, without the normalised input
        sums = (delta * a.reshape(delta.shape)).sum(3, keepdim=True)
        mean, variance = self.layer.running_mean, self.layer.running_var
        centred = sums - mean[:, None, None] * delta.sum(3, keepdim=True)
        return _square_sums(centred * (variance + self.layer.eps).rsqrt()[:, None, None])

    def _normalise(self, a: Tensor, channels: Tensor | slice) -> Tensor:
        mean, variance = self.layer.running_mean[channels], self.layer.running_var[channels]
        return (a - mean[:, None]) * (variance[:, None] + self.layer.eps).rsqrt()


# The geometry of the layers that have one, by their exact type.
GEOMETRIES: dict[type[nn.Module], Callable[[Any], Geometry]] = {
    nn.Linear: LinearGeometry,
    nn.Conv2d: Conv2dGeometry,
    nn.BatchNorm1d: BatchNormGeometry,
    nn.BatchNorm2d: BatchNormGeometry,
    nn.BatchNorm3d: BatchNormGeometry,
}
