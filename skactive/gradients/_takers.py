"""What is taken from a layer as the gradient at its output passes: entries, squares, or norms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from skactive.gradients._geometry import Geometry


def _block(device: torch.device) -> int:
    """Return of about how many numbers the blocks are in which intermediate results are made."""
    return 2**22 if device.type == "cpu" else 2**26


def _cached(device: torch.device) -> int:
    """Return the size of a block in numbers: what the CPU's caches hold, or more for a GPU."""
    return 2**20 * torch.get_num_threads() if device.type == "cpu" else 2**26


class Taker(ABC):
    """Takes something from one layer's gradients, for one batch at a time.

    Parameters
    ----------
    geometry : Geometry
        The layer.
    wanted : collection of str
        Which of "weight" and "bias" are wanted.

    Attributes
    ----------
    summed : bool
        Whether what is taken of the samples is summed over them.
    """

    summed = False

    def __init__(self, geometry: Geometry, wanted: Collection[str]) -> None:
        self.geometry, self.wanted = geometry, frozenset(wanted)
        self.n = 0

    @abstractmethod
    def record(self, a: Tensor, n: int) -> None:
        """Keep what is needed of the layer's input, which the network may overwrite later."""

    @abstractmethod
    def take(self, delta: Tensor) -> None:
        """Use the gradient at the layer's output, for one row of every sample's outputs."""

    @abstractmethod
    def taken(self, name: str) -> Tensor:
        """Return what the last `take` gave for the weight or the bias."""

    @abstractmethod
    def clear(self) -> None:
        """Forget the batch."""

    def _outputs(self, delta: Tensor) -> Tensor:
        """Return the gradient at the output of n samples as (N, O, T)."""
        n_outputs = self.geometry.n_outputs
        if self.geometry.channels_last:
            return delta.reshape(self.n, -1, n_outputs).mT
        return delta.reshape(self.n, n_outputs, -1)


class EntryTaker(Taker):
    """The masked entries of each sample's gradient, gathered: (N, E), weight before bias.

    Parameters
    ----------
    geometry : Geometry
        The layer.
    positions : mapping of str to torch.Tensor
        For "weight" and "bias", if wanted, the flat positions in it that are; on the network's
        device, which would be waited for if they had to be brought there for each batch.
    """

    def __init__(self, geometry: Geometry, positions: Mapping[str, Tensor]) -> None:
        super().__init__(geometry, positions)
        empty = torch.empty(0, dtype=torch.int64)
        self.channel, row = geometry.entry(positions.get("weight", empty))
        self.bias = positions.get("bias", empty)
        self.unique_rows, self.row = row.unique(return_inverse=True)
        self.unique_channels, self.channel_of = self.channel.unique(return_inverse=True)
        # Where the mask is dense in a layer, all products of its rows and channels cost less
        # than those of its entries one by one: a matrix product does about 16 in the time of one.
        self.whole = len(self.unique_rows) * len(self.unique_channels) <= 16 * len(self.row)
        self.patches: Tensor | None = None
        self.entries = torch.empty(0)

    def record(self, a: Tensor, n: int) -> None:
        self.n = n
        if not len(self.row):
            return
        rows = self.geometry.patch_rows(a, n, self.unique_rows)
        if self.whole:
            self.patches = rows.mT.contiguous()
        else:
            self.patches = rows if len(self.unique_rows) == len(self.row) else rows.contiguous()

    def take(self, delta: Tensor) -> None:
        outputs = self._outputs(delta)
        parts = []
        if self.patches is not None and self.whole:
            products = outputs[:, self.unique_channels] @ self.patches
            parts.append(products[:, self.channel_of, self.row])
        elif self.patches is not None:
            step = max(1, _block(outputs.device) // max(1, self.n * outputs.shape[2]))
            for channel, row in zip(self.channel.split(step), self.row.split(step), strict=True):
                chosen = outputs[:, channel]
                parts.append((chosen * self.patches[:, row]).sum(2))
        if len(self.bias):
            parts.append(outputs[:, self.bias].sum(2))
        self.entries = torch.cat(parts, 1)

    def taken(self, name: str) -> Tensor:
        n_weight = len(self.row)
        return self.entries[:, :n_weight] if name == "weight" else self.entries[:, n_weight:]

    def clear(self) -> None:
        self.patches, self.entries = None, torch.empty(0)


class OuterTaker(Taker):
    """A linear layer on one row per sample, kept whole: its output gradients and its inputs."""

    delta: Tensor
    inputs: Tensor

    def record(self, a: Tensor, n: int) -> None:
        self.inputs = a.clone()
        if "bias" in self.wanted:
            self.inputs = torch.cat([self.inputs, a.new_ones(n, 1)], 1)

    def take(self, delta: Tensor) -> None:
        self.delta = delta.clone()

    def taken(self, name: str) -> Tensor:
        gradient = self.delta[:, :, None] * self.inputs[:, None]
        size = self.geometry.patch_size
        part = gradient[..., :size] if name == "weight" else gradient[..., size:]
        return part.flatten(1)

    def clear(self) -> None:
        self.delta = self.inputs = torch.empty(0)


class SquareTaker(Taker):
    """The squares of each sample's gradient, summed over the samples."""

    summed = True

    def __init__(self, geometry: Geometry, wanted: Collection[str]) -> None:
        super().__init__(geometry, wanted)
        self.squares: dict[str, Tensor] = {}
        self.patches: Tensor | None = None

    def record(self, a: Tensor, n: int) -> None:
        self.n = n
        if "weight" in self.wanted:
            self.patches = self.geometry.patches(a.clone(), n)

    def take(self, delta: Tensor) -> None:
        outputs = self._outputs(delta)
        if self.patches is not None:
            _, G, d, T = self.patches.shape
            grouped = outputs.unflatten(1, (G, -1))  # (N, G, O/G, T)
            if T == 1:
                squares = torch.einsum(
                    "ngo,ngd->god", grouped.square().squeeze(3), self.patches.square().squeeze(3)
                )
            else:
                squares = outputs.new_zeros(G, grouped.shape[2], d)
                step = max(1, _block(outputs.device) // squares.numel())
                for some, patches in zip(
                    grouped.split(step), self.patches.split(step), strict=True
                ):
                    squares += (some @ patches.mT).square_().sum(0)
            self.squares["weight"] = squares
        if "bias" in self.wanted:
            self.squares["bias"] = outputs.sum(2).square_().sum(0)

    def taken(self, name: str) -> Tensor:
        return self.squares[name].flatten()

    def clear(self) -> None:
        self.squares, self.patches = {}, None


class NormTaker(Taker):
    """The squared norm of each sample's gradient, (N,), without that gradient where it can be.

    With P the patches (d × T) and δ the gradient at the output (O × T), group by group,

        ‖δPᵀ‖² = Σ (δᵀδ) ∘ (PᵀP),

    of which the left side takes T·O·d multiplications, and the right side T²·O and those of PᵀP:
    the left side is computed for many positions and few channels, the right side otherwise.

    Parameters
    ----------
    geometry : Geometry
        The layer.
    wanted : collection of str
        Which of "weight" and "bias" are wanted.
    copies : bool
        Whether the network overwrites the layer's input before the gradient passes.
    """

    def __init__(self, geometry: Geometry, wanted: Collection[str], copies: bool) -> None:
        super().__init__(geometry, wanted)
        self.copies = copies
        self.norms: dict[str, Tensor] = {}
        self.clear()

    def record(self, a: Tensor, n: int) -> None:
        self.n = n
        if "weight" in self.wanted:
            self.a = self.geometry.by_sample(a.clone() if self.copies else a, n)
            self.version = self.a._version

    def take(self, delta: Tensor) -> None:
        outputs = self._outputs(delta)
        if "weight" in self.wanted:
            if self.a._version != self.version:
                raise RuntimeError(
                    f"The input of {self.geometry.layer} was overwritten, and was not for the "
                    "samples that were checked: the network must run alike for all samples."
                )
            self.norms["weight"] = self._weight_norms(outputs)
        if "bias" in self.wanted:
            self.norms["bias"] = outputs.sum(2).square_().sum(1)

    def _weight_norms(self, outputs: Tensor) -> Tensor:
        """Return ‖δPᵀ‖², (N,)."""
        geometry = self.geometry
        d = geometry.patch_size
        grouped = outputs.unflatten(1, (geometry.n_groups, -1))
        _, G, o, T = grouped.shape  # o = O/G
        by_products = T**2 * o + geometry.product_cost(self.a, T) < T * o * d
        held = G * (3 * T**2 if by_products else T * d + o * d)
        step = max(1, _cached(outputs.device) // held)
        parts = []
        for delta, a in zip(grouped.split(step), self.a.split(step), strict=True):
            n = len(delta)
            if by_products:
                products = (delta.mT @ delta).mul_(geometry.patch_products(a, n))
                parts.append(products.flatten(1).sum(1).clamp_(min=0))
            else:
                parts.append(geometry.squared_norms(a, delta, n))
        return torch.cat(parts)

    def taken(self, name: str) -> Tensor:
        return self.norms[name]

    def clear(self) -> None:
        self.norms, self.a = {}, torch.empty(0)
