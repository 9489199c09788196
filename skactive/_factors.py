"""Factors V(x) of per-sample Fisher information, stored as their structure allows.

A factor object stands for a tensor V of shape (N, C, k): the Fisher information of sample n is
V[n]ᵀ V[n]. Selection needs five products of it and never V itself, so a last layer, whose rows
are Kronecker products, keeps C² + D numbers per sample in place of C·C·D.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from skactive._validation import invalid

_Index = slice | Tensor

# Intermediate results are made in blocks of samples of about this many numbers.
_BLOCK = 2**22
# Products h_i h_j are made for this many i at a time.
_STRIP = 8


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

    @abstractmethod
    def take(self, index: Tensor | slice) -> FisherFactors:
        """Return the factors of some samples, by position, in that order."""

    @abstractmethod
    def double(self) -> FisherFactors:
        """Return the same factors in float64."""

    @abstractmethod
    def matmul(self, M: Tensor) -> Tensor:
        """Return V M, of shape (N, C, m), for M of shape (k, m)."""

    @abstractmethod
    def tmatmul(self, T: Tensor) -> Tensor:
        """Return Σ_n V[n]ᵀ T[n], of shape (k, m), for T of shape (N, C, m)."""

    @abstractmethod
    def contract(self, T: Tensor) -> Tensor:
        """Return T[n] V[n]ᵀ, of shape (N, r, C), for T of shape (N, r, k)."""

    @abstractmethod
    def quadratic(self, *W: Tensor) -> Tensor:
        """Return V W Vᵀ, of shape (N, C, C), for a symmetric W of shape (k, k).

        For several W, the results side by side: (N, C, 2C) of two. That costs less than one by one.
        """

    @abstractmethod
    def dense(self) -> Tensor:
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

    def gram(self, weights: Tensor | None = None) -> Tensor:
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
        for part, weight in _weighted_blocks(self, weights):
            part.double()._add_gram(weight, total)
        return total

    @abstractmethod
    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        """Add the weighted gram of these few samples, in their own precision, to `total`."""


class DenseFactors(FisherFactors):
    """V as it is.

    Parameters
    ----------
    values : torch.Tensor of shape (N, C, k)
        V.

    Examples
    --------
    >>> import torch
    >>> factors = DenseFactors(torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]]))
    >>> factors.shape
    (2, 1, 2)
    >>> factors.gram()
    tensor([[1., 2.],
            [2., 5.]], dtype=torch.float64)
    """

    def __init__(self, values: Tensor) -> None:
        if not isinstance(values, Tensor) or values.ndim != 3 or not values.is_floating_point():
            raise invalid("values", self, "a floating-point tensor of shape (N, C, k)", values)
        self.values = values
        n, c, k = values.shape
        self.shape, self.dtype, self.device = (n, c, k), values.dtype, values.device

    @property
    def numbers_each(self) -> int:
        return self.shape[1] * self.shape[2]

    def take(self, index: Tensor | slice) -> DenseFactors:
        return DenseFactors(self.values[index])

    def double(self) -> DenseFactors:
        return DenseFactors(self.values.double())

    def matmul(self, M: Tensor) -> Tensor:
        return self.values @ M

    def tmatmul(self, T: Tensor) -> Tensor:
        return self.values.flatten(0, 1).T @ T.flatten(0, 1)

    def contract(self, T: Tensor) -> Tensor:
        return T @ self.values.mT

    def quadratic(self, *W: Tensor) -> Tensor:
        n, C, k = self.shape
        out = self.values.new_empty(n, C, len(W), C)
        for block in _blocks(n, C * k):
            values = self.values[block]
            for i, one in enumerate(W):
                out[block][:, :, i] = torch.bmm(values @ one, values.mT)
        return out.flatten(2)

    def dense(self) -> Tensor:
        return self.values

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        rows = self.values.flatten(0, 1)
        total.addmm_(rows.T, (self.values * weights[:, None, None]).flatten(0, 1))


class KroneckerFactors(FisherFactors):
    """V[n, c] = left[n, c] ⊗ right[n]: the gradient of a linear layer on one row per sample.

    For the layer that makes the logits, `left` is S (row c is √p_c (e_c − p)) and `right` the
    embedding h(x), followed by a 1 where the layer has a bias. Columns are ordered output by
    output, each with its D inputs: the order of a weight of shape (O, D).

    Parameters
    ----------
    left : torch.Tensor of shape (N, C, O)
        The gradients at the layer's output.
    right : torch.Tensor of shape (N, D)
        The layer's inputs.

    Examples
    --------
    >>> import torch
    >>> left, right = torch.tensor([[[1.0, -1.0]]]), torch.tensor([[2.0, 3.0]])
    >>> KroneckerFactors(left, right).dense()
    tensor([[[ 2.,  3., -2., -3.]]])
    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        if not isinstance(left, Tensor) or left.ndim != 3 or not left.is_floating_point():
            raise invalid("left", self, "a floating-point tensor of shape (N, C, O)", left)
        if (
            not isinstance(right, Tensor)
            or right.shape != (len(left), *right.shape[1:2])
            or (right.dtype, right.device) != (left.dtype, left.device)
        ):
            must = f"a tensor of shape ({len(left)}, D), of left's dtype and device"
            raise invalid("right", self, must, right)
        self.left, self.right = left, right
        self.shape = (left.shape[0], left.shape[1], left.shape[2] * right.shape[1])
        self.dtype, self.device = left.dtype, left.device

    @property
    def numbers_each(self) -> int:
        n_out, D = self._sides
        return self.shape[1] * n_out + D

    def take(self, index: Tensor | slice) -> KroneckerFactors:
        return KroneckerFactors(self.left[index], self.right[index])

    def double(self) -> KroneckerFactors:
        return KroneckerFactors(self.left.double(), self.right.double())

    @property
    def _sides(self) -> tuple[int, int]:
        return self.left.shape[2], self.right.shape[1]

    def matmul(self, M: Tensor) -> Tensor:
        (n_out, D), m = self._sides, M.shape[1]
        if len(self) <= m:  # few samples: n_out products, and no copy of M
            inner = torch.matmul(self.right, M.view(n_out, D, m)).transpose(0, 1)
            return torch.bmm(self.left, inner)
        # S · (h · M) with M as D × (O·m): O(D·O·m) per sample; the dense product is O(C·O·D·m).
        by_input = M.reshape(n_out, D, m).transpose(0, 1).reshape(D, n_out * m)
        out = self.left.new_empty(self.shape[0], self.shape[1], m)
        for block in _blocks(len(self), n_out * m):
            right = self.right[block]
            inner = (right @ by_input).view(len(right), n_out, m)
            torch.bmm(self.left[block], inner, out=out[block])
        return out

    def tmatmul(self, T: Tensor) -> Tensor:
        (n_out, D), m = self._sides, T.shape[2]
        out = T.new_zeros(D, n_out * m)
        for block in _blocks(len(self), n_out * m):
            outer = torch.bmm(self.left[block].mT, T[block])  # (n, n_out, m)
            out.addmm_(self.right[block].T, outer.flatten(1))
        return out.view(D, n_out, m).transpose(0, 1).reshape(n_out * D, m)

    def contract(self, T: Tensor) -> Tensor:
        n_out, D = self._sides
        inner = (T.reshape(*T.shape[:2], n_out, D) @ self.right[:, None, :, None]).squeeze(-1)
        return inner @ self.left.mT

    def quadratic(self, *W: Tensor) -> Tensor:
        (n_out, D), (n, C, _) = self._sides, self.shape
        pairs, place = _pairs(n_out, self.device)
        n_pairs = len(pairs[0])
        # hᵀ W_ab h = Σ_ij (W_ab)_ij h_i h_j: one matrix product for all a ≤ b, and all W.
        forms = []
        for rows in _strips(D):
            of_all = []
            for one in W:
                blocks = one.view(n_out, D, n_out, D)
                form = blocks[:, rows, :, rows.start :].transpose(1, 2)[pairs]
                below = blocks[:, rows.stop :, :, rows].transpose(1, 2)[pairs]
                form[:, :, rows.stop - rows.start :] += below.mT
                of_all.append(form.flatten(1).T)
            forms.append(torch.cat(of_all, 1))
        # which form is at (a, i, b), for a row of all W side by side
        at = place[:, None, :] + n_pairs * torch.arange(len(W), device=self.device)[:, None]
        out = self.left.new_empty(n, C * len(W), C)
        for block in _blocks(n, 8 * _STRIP * D):
            left, right = self.left[block], self.right[block]
            inner = left.new_zeros(len(left), n_pairs * len(W))
            for rows, form in zip(_strips(D), forms, strict=True):
                inner.addmm_(_products(right, rows), form)
            half = torch.bmm(left, inner[:, at.flatten(1)])  # (n, C, O of each W)
            torch.bmm(half.view(len(left), -1, n_out), left.mT, out=out[block])
        return out.view(n, C, -1)

    def dense(self) -> Tensor:
        return (self.left[..., None] * self.right[:, None, None]).flatten(2)

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        n_out, D = self._sides
        pairs, place = _pairs(n_out, self.device)
        blocks = total.view(n_out, D, n_out, D).transpose(1, 2)
        q = torch.bmm(self.left.mT, self.left * weights[:, None, None])
        q = q[:, pairs[0], pairs[1]].T.contiguous()
        for rows in _strips(D):  # the block (a, b) is Hᵀ diag(q_ab) H
            wide = D - rows.start
            part = total.new_zeros(len(q), (rows.stop - rows.start) * wide)
            for some in _blocks(len(self), 8 * _STRIP * D):
                part.addmm_(q[:, some], _products(self.right[some], rows))
            strip = part[place].view(n_out, n_out, -1, wide)
            blocks[:, :, rows, rows.start :] += strip
            blocks[:, :, rows.stop :, rows] += strip[..., rows.stop - rows.start :].mT


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
                for block in _blocks(n, C * other.shape[2]):
                    cross = other.take(block).contract(one.take(block).matmul(across))
                    of_one[block] += cross
                    of_one[block] += cross.mT
        return out

    def dense(self) -> Tensor:
        out = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        for part, index in zip(self.parts, self._at, strict=True):
            out[:, :, index] = part.dense()
        return out

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


def _pairs(n: int, device: torch.device) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the positions (a, b), a ≤ b, and an (n, n) table of which of them (a, b) is."""
    a, b = torch.triu_indices(n, n, device=device)
    place = torch.empty(n, n, dtype=torch.int64, device=device)
    place[a, b] = place[b, a] = torch.arange(len(a), device=device)
    return (a, b), place


def _strips(D: int) -> list[slice]:
    """Cut the rows of a symmetric D × D matrix; of a strip, columns count from its first row."""
    return [slice(start, min(start + _STRIP, D)) for start in range(0, D, _STRIP)]


def _products(right: Tensor, rows: slice) -> Tensor:
    """Return h_i h_j of each sample, (n, rows · columns), for a strip of hhᵀ."""
    return (right[:, rows, None] * right[:, None, rows.start :]).flatten(1)


def _blocks(n: int, numbers_each: int) -> Iterator[slice]:
    """Cut n samples into blocks whose intermediate results are small."""
    size = max(1, _BLOCK // max(1, numbers_each))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _weighted_blocks(
    factors: FisherFactors, weights: Tensor
) -> Iterator[tuple[FisherFactors, Tensor]]:
    """Cut the samples of weight other than zero into blocks, with their weights."""
    positions = torch.nonzero(weights).flatten()
    for block in _blocks(len(positions), factors.numbers_each):
        index = positions[block]
        yield factors.take(index), weights[index]
