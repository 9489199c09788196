"""Factors whose rows are in a block of parameters each: the diagonal blocks of a last layer."""

from __future__ import annotations

import torch
from torch import Tensor

from skactive._device import HALF, NO_FLOAT64
from skactive._validation import invalid
from skactive.fisher._factors import FisherFactors, Information, as_held, cut
from skactive.fisher._kronecker import KroneckerFactors


class BlockFactors(FisherFactors):
    """V[n, c] = √ω_c e_c ⊗ h: of the last layer's information, what each class has with itself.

    V[n]ᵀ V[n] has the blocks ω_c h hᵀ, and zeros between the classes. ω_c is the diagonal of what
    the classes' rows have together: p_c (1 − p_c), of diag(p) − p pᵀ.

    Parameters
    ----------
    roots : torch.Tensor of shape (N, C)
        √ω.
    right : torch.Tensor of shape (N, D)
        h, the layer's inputs.

    Examples
    --------
    >>> import torch
    >>> BlockFactors(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])).dense()
    tensor([[[3., 0.],
             [0., 6.]]])
    """

    def __init__(self, roots: Tensor, right: Tensor) -> None:
        if not isinstance(roots, Tensor) or roots.ndim != 2 or not roots.is_floating_point():
            raise invalid("roots", self, "a floating-point tensor of shape (N, C)", roots)
        if (
            not isinstance(right, Tensor)
            or right.shape != (len(roots), *right.shape[1:2])
            or (right.dtype, right.device) != (roots.dtype, roots.device)
        ):
            must = f"a tensor of shape ({len(roots)}, D), of roots' dtype and device"
            raise invalid("right", self, must, right)
        if roots.dtype in HALF or roots.device.type in NO_FLOAT64:
            roots, right = as_held(roots), as_held(right)
        self.roots, self.right = roots, right
        (N, C), D = roots.shape, right.shape[1]
        self.shape, self.dtype, self.device = (N, C, C * D), roots.dtype, roots.device

    @property
    def numbers_each(self) -> int:
        return self.roots.shape[1] + self.right.shape[1]

    @property
    def state_each(self) -> int:
        return 3 * self.roots.shape[1] + 2 * self.right.shape[1]  # α, β and sω; Wh while they start

    @property
    def information_numbers(self) -> int:
        return self.roots.shape[1] * self.right.shape[1] ** 2

    def take(self, index: Tensor | slice) -> BlockFactors:
        return BlockFactors(self.roots[index], self.right[index])

    def double(self) -> BlockFactors:
        return BlockFactors(self.roots.double(), self.right.double())

    def whole(self) -> KroneckerFactors:
        """Return the same with the zeros between the classes stored."""
        return KroneckerFactors(torch.diag_embed(self.roots), self.right)

    def matmul(self, M: Tensor) -> Tensor:
        return self.whole().matmul(M)

    def tmatmul(self, T: Tensor) -> Tensor:
        return self.whole().tmatmul(T)

    def contract(self, T: Tensor) -> Tensor:
        return self.whole().contract(T)

    def quadratic(self, *W: Tensor) -> Tensor:
        return self.whole().quadratic(*W)

    def dense(self) -> Tensor:
        return self.whole().dense()

    def traces(self) -> Tensor:
        return self.roots.double().square().sum(1) * self.right.double().square().sum(1)

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        self.whole()._add_gram(weights, total)

    def information(self, weights: Tensor | None = None) -> Information:
        """Return Σ_n weights[n] ω_c h hᵀ of each class, of shape (C, D, D), in float64."""
        (N, C), D = self.roots.shape, self.right.shape[1]
        weights = torch.ones(N) if weights is None else weights
        weights = weights.to(self.device, torch.float64)
        total = torch.zeros(C, D, D, dtype=torch.float64, device=self.device)
        counted = torch.nonzero(weights).flatten()
        for block in cut(len(counted), self.numbers_each):
            part, weight = self.take(counted[block]).double(), weights[counted[block]]
            h, rates = part.right, part.roots.square() * weight[:, None]
            for of_class, rate in zip(total, rates.T, strict=True):
                of_class.addmm_((h * rate[:, None]).T, h)
        return (total,)
