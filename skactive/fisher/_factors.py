"""Factors V(x) of per-sample Fisher information, stored as their structure allows.

A factor object stands for a tensor V of shape (N, C, k): the Fisher information of sample n is
V[n]ᵀ V[n]. Selection needs five products of it and never V itself, so a last layer, whose rows
are Kronecker products, keeps C² + D numbers per sample in place of C·C·D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from skactive._device import HALF, NO_FLOAT64

# The information of a batch in the form that a selection holds it in: one tensor, whole or of
# blocks, for each part of the parameters that is kept apart from the others.
Information = tuple[Tensor, ...]

# Intermediate results are made in blocks of samples of about this many numbers.
_BLOCK = 2**22


class FisherFactors(ABC):
    """V of shape (N, C, k), by what can be computed from it.

    Attributes
    ----------
    shape : tuple of int
        (N, C, k): samples, rows per sample (classes), columns (masked parameters).
    dtype : torch.dtype
        The type of the stored numbers and of the products.
    device : torch.device
        Where they are.
    """

    shape: tuple[int, int, int]
    dtype: torch.dtype
    device: torch.device

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        size = " × ".join(str(n) for n in self.shape)
        return f"{type(self).__name__}({size}, {self.dtype}, {self.device})"

    @property
    @abstractmethod
    def numbers_each(self) -> int:
        """Number of values stored per sample."""

    @property
    def state_each(self) -> int:
        """Number of values that a selection keeps per sample at most, besides the factors."""
        return 4 * self.shape[1] ** 2  # A and B, as they are and put together

    @property
    def information_numbers(self) -> int:
        """Number of values in `information`."""
        return self.shape[2] ** 2

    @abstractmethod
    def take(self, index: Tensor | slice) -> FisherFactors:
        """Return the factors of some samples, by position, in that order."""

    @abstractmethod
    def double(self) -> FisherFactors:
        """Return the same factors in float64."""

    @abstractmethod
    def matmul(self, M: Annotated[Tensor, "k m"]) -> Annotated[Tensor, "N C m"]:
        """Return V M, of shape (N, C, m), for M of shape (k, m)."""

    @abstractmethod
    def tmatmul(self, T: Annotated[Tensor, "N C m"]) -> Annotated[Tensor, "k m"]:
        """Return Σ_n V[n]ᵀ T[n], of shape (k, m), for T of shape (N, C, m)."""

    @abstractmethod
    def contract(self, T: Annotated[Tensor, "N r k"]) -> Annotated[Tensor, "N r C"]:
        """Return T[n] V[n]ᵀ, of shape (N, r, C), for T of shape (N, r, k)."""

    @abstractmethod
    def quadratic(self, *W: Annotated[Tensor, "k k"]) -> Annotated[Tensor, "N C columns"]:
        """Return V W Vᵀ, of shape (N, C, C), for a symmetric W of shape (k, k).

        For several W, the results side by side: (N, C, 2C) of two. That costs less than one by one.
        """

    @abstractmethod
    def dense(self) -> Annotated[Tensor, "N C k"]:
        """Return V itself, of shape (N, C, k)."""

    def in_own_order(self) -> FisherFactors:
        """Return factors with the columns in the order that is cheapest to compute with."""
        return self

    def rows(self, i: int | Tensor) -> Tensor:
        """Return V of one sample, (C, k), or of some, (n, C, k)."""
        if isinstance(i, Tensor) and i.ndim:
            return self.take(i).dense()
        start = range(len(self))[int(i)]
        return self.take(slice(start, start + 1)).dense()[0]

    def gram(self, weights: Annotated[Tensor, "N"] | None = None) -> Annotated[Tensor, "k k"]:
        """Return Σ_n weights[n] V[n]ᵀ V[n], of shape (k, k), in float64.

        Parameters
        ----------
        weights : torch.Tensor of shape (N,) or None, default=None
            The weight of each sample; None is 1 for all. With 1/N each this is the mean Fisher
            information, I_U. Samples of weight zero are skipped.

        Returns
        -------
        torch.Tensor of shape (k, k)
            The weighted sum.
        """
        weights = torch.ones(len(self)) if weights is None else weights
        weights = weights.to(self.device, torch.float64)
        total = torch.zeros(self.shape[2], self.shape[2], dtype=torch.float64, device=self.device)
        for part, weight in weighted_blocks(self, weights):
            part.double()._add_gram(weight, total)
        return total

    def information(self, weights: Tensor | None = None) -> Information:
        """Return Σ_n weights[n] V[n]ᵀ V[n] in the form that a selection holds it in.

        That is `gram`, but where factors stand for a part of it alone.
        """
        return (self.gram(weights),)

    def traces(self) -> Annotated[Tensor, "N"]:
        """Return tr(V[n]ᵀ V[n]), the sum of squares, of each sample: (N,), in float64."""
        total = torch.empty(len(self), dtype=torch.float64, device=self.device)
        for block in cut(len(self), self.shape[1] * self.shape[2]):
            total[block] = self.take(block).double().dense().square().sum((1, 2))
        return total

    @abstractmethod
    def _add_gram(self, weights: Annotated[Tensor, "N"], total: Annotated[Tensor, "k k"]) -> None:
        """Add the weighted gram of these few samples, in their own precision, to `total`."""


def at_least_single(values: Tensor) -> Tensor:
    """Return half-precision numbers as float32, in which they are computed with, others as is."""
    return values.float() if values.dtype in HALF else values


def as_held(values: Tensor) -> Tensor:
    """Return numbers as factors hold them: no halves, and where float64 is to be had."""
    values = at_least_single(values)
    return values.cpu() if values.device.type in NO_FLOAT64 else values


def cut(n: int, numbers_each: int) -> list[slice]:
    """Cut n samples into blocks whose intermediate results are small."""
    size = max(1, _BLOCK // max(1, numbers_each))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def weighted_blocks(
    factors: FisherFactors, weights: Tensor
) -> Iterator[tuple[FisherFactors, Tensor]]:
    """Cut the samples of weight other than zero into blocks, with their weights."""
    positions = torch.nonzero(weights).flatten()
    for block in cut(len(positions), factors.numbers_each):
        index = positions[block]
        yield factors.take(index), weights[index]
