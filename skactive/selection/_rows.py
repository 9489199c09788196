"""Samples as rows, or as outer products that are never formed, and the distances between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._device import HALF, NO_FLOAT64
from skactive._validation import invalid

# Intermediate results have about this many numbers.
_BLOCK = 2**20
# Centers that all rows are compared with at a time.
_CENTERS = 256
# Rounding of ‖x − y‖², as a multiple of the precision and of ‖x‖² + ‖y‖².
ROUNDING = 16.0
# Which part of a squared distance its rounding may be.
_SMALL = 0.01
# Rows of a tile of distances: small enough for a CPU's cache, large enough for a GPU.
_TILE_CPU, _TILE_GPU = 512, 4096


class Rows:
    """N rows x, or N rows s ⊗ h given as S and H.

    Parameters
    ----------
    right : torch.Tensor of shape (N, D)
        The rows, or H.
    left : torch.Tensor of shape (N, C) or None
        S, if the rows are s ⊗ h.

    norms : torch.Tensor of shape (N,) or None, default=None
        The squared norms, if known; ‖s ⊗ h‖² = ‖s‖² ‖h‖².
    """

    def __init__(
        self, right: Tensor, left: Tensor | None = None, norms: Tensor | None = None
    ) -> None:
        self.right, self.left = right, left
        if norms is None:
            norms = squared_norms(right)
            norms = norms if left is None else norms * squared_norms(left)
        self.norms = norms

    def __len__(self) -> int:
        return len(self.right)

    def take(self, index: np.ndarray | Tensor | slice) -> Rows:
        """Return some of the rows."""
        where = index if isinstance(index, slice) else torch.as_tensor(index)
        if isinstance(where, Tensor):
            where = where.to(self.right.device)
        left = None if self.left is None else self.left[where]
        return Rows(self.right[where], left, self.norms[where])

    def squared_distances(self, others: Rows) -> Annotated[Tensor, "N M"]:
        """Return ‖x − y‖² of these rows and others, (N, M).

        As ‖x‖² + ‖y‖² − 2⟨x, y⟩, with ⟨s⊗h, s'⊗h'⟩ = ⟨s, s'⟩⟨h, h'⟩; where that cancels, from the
        difference of the rows, so that equal rows are at distance 0 exactly.
        """
        sums = self.norms[:, None] + others.norms
        product = self.right @ others.right.T
        if self.left is not None and others.left is not None:
            product *= self.left @ others.left.T
        found = sums - 2 * product
        small = 3 * torch.finfo(found.dtype).eps ** 0.5
        i, j = torch.nonzero(found < small * sums, as_tuple=True)
        for some in blocks(len(i), self.right.shape[1]):
            at = i[some], j[some]
            found[at] = self._difference(at[0], others, at[1])
        return found.clamp_min_(0)

    def distances_less_rounding(self, others: Rows) -> Annotated[Tensor, "N M"]:
        """Return ‖x − y‖² of these rows and others, (N, M), by one product, less its rounding.

        So that equal rows are at distance 0 exactly, at no further cost where there are many of
        them; the others are nearer by 16 ε (‖x‖² + ‖y‖²).
        """
        kept = 1 - ROUNDING * torch.finfo(self.norms.dtype).eps
        found = torch.addmm(others.norms, self.right, others.right.T, beta=kept, alpha=-2)
        return found.add_(self.norms[:, None], alpha=kept).clamp_min_(0)

    def squared_differences(self, others: Rows, which: Tensor) -> Annotated[Tensor, "N M"]:
        """Return ‖x − y‖² from the differences with some others of each row, (N, M); no s ⊗ h."""
        found = torch.empty(which.shape, dtype=self.norms.dtype, device=self.norms.device)
        for some in blocks(len(which), which.shape[1] * self.right.shape[1]):
            # index_select: several times as fast as indexing
            y = others.right.index_select(0, which[some].flatten())
            y = y.view(*which[some].shape, y.shape[1])
            found[some] = y.sub_(self.right[some][:, None]).square_().sum(2)
        return found

    def _difference(self, i: Tensor, others: Rows, j: Tensor) -> Tensor:
        step = self.right[i] - others.right[j]
        squared = step.square().sum(1)
        if self.left is None or others.left is None:
            return squared
        # s⊗h − s'⊗h' = (s − s')⊗h + s'⊗(h − h')
        h, s = self.right[i], others.left[j]
        change = self.left[i] - s
        return (
            change.square().sum(1) * h.square().sum(1)
            + s.square().sum(1) * squared
            + 2 * (change * s).sum(1) * (step * h).sum(1)
        )

    def lower(self, nearest: Tensor, centers: Rows) -> None:
        """Lower squared distances to the nearest center, (N,), by those to further centers."""
        for start in range(0, len(centers), _CENTERS):
            few = centers.take(slice(start, start + _CENTERS))
            for block in blocks(len(self), len(few)):
                found = self.take(block).squared_distances(few).amin(1)
                torch.minimum(nearest[block], found, out=nearest[block])


def in_enough_digits(
    X: Annotated[Tensor, "N D"], squared: float, rounding: float = ROUNDING
) -> Annotated[Tensor, "N D"]:
    """Return float32 rows as float64 where distances would lose the digits that count.

    Parameters
    ----------
    X : torch.Tensor of shape (N, D)
        The rows. On devices without float64 they stay as they are.
    squared : float
        The squared distances that count.
    rounding : float, default=ROUNDING
        That of ‖x − y‖², as a multiple of ε (‖x‖² + ‖y‖²), of rows less their mean; it may be a
        hundredth of `squared`.

    Returns
    -------
    torch.Tensor of shape (N, D)
        The rows.
    """
    if X.dtype != torch.float32 or X.device.type in NO_FLOAT64:
        return X
    lost = rounding * torch.finfo(X.dtype).eps * 2 * float(centered(X).norms.max())
    return X.double() if lost > _SMALL * squared else X


def blocks(n: int, numbers_each: int) -> Iterator[slice]:
    """Cut n things into blocks of bounded size."""
    size = max(1, _BLOCK // max(1, numbers_each))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def tile_size(device: torch.device) -> int:
    """Return the number of rows of a tile."""
    return _TILE_CPU if device.type == "cpu" else _TILE_GPU


def tiles(start: int, stop: int, device: torch.device) -> list[slice]:
    """Cut a range of rows into tiles."""
    size = tile_size(device)
    return [slice(at, min(at + size, stop)) for at in range(start, stop, size)]


def squared_norms(X: Annotated[Tensor, "N D"]) -> Annotated[Tensor, "N"]:
    """Return ‖x‖² of rows, (N,), without a copy of them."""
    return torch.linalg.vector_norm(X, dim=1).square()


def as_matrix(name: str, given: Any, owner: str) -> Annotated[Tensor, "N D"]:
    """Return an array as a finite floating-point tensor (N, D), on its device, or raise."""
    try:
        values = as_tensor(given)
    except (TypeError, ValueError):
        values = torch.empty(0)
    good = values.ndim == 2 and min(values.shape) > 0 and not values.is_complex()
    if good and not values.is_floating_point():
        values = values.to(torch.float32 if values.device.type in NO_FLOAT64 else torch.float64)
    elif values.dtype in HALF:
        values = values.float()
    # a finite sum of squares shows that all are finite, and that no distance overflows
    if not good or not bool(torch.isfinite(squared_norms(values)).all()):
        must = "an array or tensor of shape (N, D) whose rows have finite squared norms"
        remedy = "Remove NaN and infinity; reshape images to rows."
        raise invalid(name, owner, must, given, remedy)
    return values


def as_centers(
    given: Any, X: Annotated[Tensor, "N D"], owner: str, name: str = "centers"
) -> Annotated[Tensor, "M D"]:
    """Return further rows, in the precision and on the device of X, or raise."""
    values = as_matrix(name, given, owner).to(X.device, X.dtype)
    if values.shape[1] != X.shape[1]:
        must = f"rows of {X.shape[1]} numbers, as X has"
        raise invalid(name, owner, must, given, "Embed both in the same way.")
    return values


def centered(X: Tensor, center: Tensor | None = None) -> Rows:
    """Return rows less their mean: distances stay, and lose fewer digits."""
    return Rows(X - (X.mean(0) if center is None else center))
