"""Factors side by side."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from skactive._validation import invalid
from skactive.fisher._factors import FisherFactors, cut

_Index = slice | Tensor


class ConcatenatedFactors(FisherFactors):
    """Factors side by side: V = [V_1, V_2, …], their columns put in any order.

    Parameters
    ----------
    parts : sequence of FisherFactors
        The factors, of the same samples and classes.
    columns : sequence of torch.Tensor of int64
        For each part, which columns of V its columns are; together 0, …, k−1.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import DenseFactors
    >>> parts = [DenseFactors(torch.tensor([[[1.0]]])), DenseFactors(torch.tensor([[[2.0, 3.0]]]))]
    >>> ConcatenatedFactors(parts, [torch.tensor([1]), torch.tensor([0, 2])]).dense()
    tensor([[[2., 1., 3.]]])
    """

    def __init__(self, parts: Sequence[FisherFactors], columns: Sequence[Tensor]) -> None:
        sizes = [part.shape[2] for part in parts]
        self.parts, self.columns = list(parts), [index.to(parts[0].device) for index in columns]
        self._at = [_as_slice(index) for index in self.columns]
        if [len(index) for index in columns] != sizes or not torch.equal(
            torch.cat(self.columns).sort().values, torch.arange(sum(sizes), device=parts[0].device)
        ):
            must = f"the positions 0 to {sum(sizes) - 1}, shared out as {sizes}"
            raise invalid("columns", self, must, str([index.tolist() for index in columns]))
        self._describe()

    def _describe(self) -> None:
        first = self.parts[0]
        self.shape = (*first.shape[:2], sum(part.shape[2] for part in self.parts))
        self.dtype, self.device = first.dtype, first.device

    def _of(self, parts: list[FisherFactors]) -> ConcatenatedFactors:
        """Return the same with other parts; the columns have been checked."""
        other = copy.copy(self)
        other.parts = parts
        other._describe()
        return other

    @property
    def numbers_each(self) -> int:
        return sum(part.numbers_each for part in self.parts)

    def take(self, index: Tensor | slice) -> ConcatenatedFactors:
        return self._of([part.take(index) for part in self.parts])

    def double(self) -> ConcatenatedFactors:
        return self._of([part.double() for part in self.parts])

    def in_own_order(self) -> ConcatenatedFactors:
        """Return these factors with the parts' columns one after the other."""
        sizes = [part.shape[2] for part in self.parts]
        order = torch.arange(sum(sizes), device=self.device)
        return ConcatenatedFactors(self.parts, order.split(sizes))

    def matmul(self, M: Tensor) -> Tensor:
        (first, *others), (columns, *rest) = self.parts, self._at
        out = first.matmul(M[columns])
        for part, index in zip(others, rest, strict=True):
            out += part.matmul(M[index])
        return out

    def tmatmul(self, T: Tensor) -> Tensor:
        out = T.new_empty(self.shape[2], T.shape[2])
        for part, index in zip(self.parts, self._at, strict=True):
            out[index] = part.tmatmul(T)
        return out

    def contract(self, T: Tensor) -> Tensor:
        pairs = zip(self.parts, self._at, strict=True)
        return torch.stack([part.contract(T[:, :, index]) for part, index in pairs]).sum(0)

    def quadratic(self, *W: Tensor) -> Tensor:
        n, C, _ = self.shape
        out = torch.zeros(n, C, len(W) * C, dtype=self.dtype, device=self.device)
        for part, index in zip(self.parts, self._at, strict=True):
            out += part.quadratic(*(one[index][:, index] for one in W))
        for (one, at_one), (other, at_other) in self._pairs():
            for M, of_one in zip(W, out.split(C, dim=2), strict=True):
                across = M[at_one][:, at_other]
                for block in cut(n, C * other.shape[2]):
                    cross = other.take(block).contract(one.take(block).matmul(across))
                    of_one[block] += cross
                    of_one[block] += cross.mT
        return out

    def dense(self) -> Tensor:
        out = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        for part, index in zip(self.parts, self._at, strict=True):
            out[:, :, index] = part.dense()
        return out

    def traces(self) -> Tensor:
        return torch.stack([part.traces() for part in self.parts]).sum(0)

    def _pairs(
        self,
    ) -> Iterator[tuple[tuple[FisherFactors, _Index], tuple[FisherFactors, _Index]]]:
        """Each pair of parts, the one with fewer columns last."""
        pairs = sorted(zip(self.parts, self._at, strict=True), key=lambda part: -part[0].shape[2])
        for i, one in enumerate(pairs):
            for other in pairs[i + 1 :]:
                yield one, other

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        for part, index in zip(self.parts, self.columns, strict=True):
            own = total.new_zeros(len(index), len(index))
            part._add_gram(weights, own)
            total[index[:, None], index] += own
        rows = torch.arange(self.shape[2], device=self.device)
        for (one, at_one), (other, at_other) in self._pairs():
            cross = one.tmatmul(other.dense() * weights[:, None, None])
            total[rows[at_one][:, None], rows[at_other]] += cross
            total[rows[at_other][:, None], rows[at_one]] += cross.T


def _as_slice(index: Tensor) -> _Index:
    """Return a slice, whose results are views, in place of positions one after the other."""
    if bool((index.diff() == 1).all()):
        return slice(int(index[0]), int(index[-1]) + 1)
    return index
