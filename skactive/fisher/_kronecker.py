"""Factors of a linear layer on one row per sample."""

from __future__ import annotations

import torch
from torch import Tensor

from skactive._device import HALF, NO_FLOAT64
from skactive._validation import invalid
from skactive.fisher._factors import FisherFactors, as_held, cut

# Products h_i h_j are made for this many i at a time.
_STRIP = 8


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
        if left.dtype in HALF or left.device.type in NO_FLOAT64:
            left, right = as_held(left), as_held(right)
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
        if self.shape[0] <= m:  # few samples: n_out products, and no copy of M
            inner = torch.matmul(self.right, M.view(n_out, D, m)).transpose(0, 1)
            return torch.bmm(self.left, inner)
        # S · (h · M) with M as D × (O·m): O(D·O·m) per sample; the dense product is O(C·O·D·m).
        by_input = M.reshape(n_out, D, m).transpose(0, 1).reshape(D, n_out * m)
        out = self.left.new_empty(self.shape[0], self.shape[1], m)
        for block in cut(self.shape[0], n_out * m):
            right = self.right[block]
            inner = (right @ by_input).view(len(right), n_out, m)
            torch.bmm(self.left[block], inner, out=out[block])
        return out

    def tmatmul(self, T: Tensor) -> Tensor:
        (n_out, D), m = self._sides, T.shape[2]
        out = T.new_zeros(D, n_out * m)
        for block in cut(self.shape[0], n_out * m):
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
        for block in cut(n, 8 * _STRIP * D):
            left, right = self.left[block], self.right[block]
            inner = left.new_zeros(len(left), n_pairs * len(W))
            for rows, form in zip(_strips(D), forms, strict=True):
                inner.addmm_(_products(right, rows), form)
            half = torch.bmm(left, inner[:, at.flatten(1)])  # (n, C, O of each W)
            torch.bmm(half.view(len(left), -1, n_out), left.mT, out=out[block])
        return out.view(n, C, -1)

    def dense(self) -> Tensor:
        return (self.left[..., None] * self.right[:, None, None]).flatten(2)

    def traces(self) -> Tensor:
        left = torch.linalg.vector_norm(self.left, dim=(1, 2), dtype=torch.float64)
        right = torch.linalg.vector_norm(self.right, dim=1, dtype=torch.float64)
        return (left * right).square()

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        n_out, D = self._sides
        pairs, place = _pairs(n_out, self.device)
        blocks = total.view(n_out, D, n_out, D).transpose(1, 2)
        q = torch.bmm(self.left.mT, self.left * weights[:, None, None])
        q = q[:, pairs[0], pairs[1]].T.contiguous()
        for rows in _strips(D):  # the block (a, b) is Hᵀ diag(q_ab) H
            wide = D - rows.start
            part = total.new_zeros(len(q), (rows.stop - rows.start) * wide)
            for some in cut(self.shape[0], 8 * _STRIP * D):
                part.addmm_(q[:, some], _products(self.right[some], rows))
            strip = part[place].view(n_out, n_out, -1, wide)
            blocks[:, :, rows, rows.start :] += strip
            blocks[:, :, rows.stop :, rows] += strip[..., rows.stop - rows.start :].mT


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
