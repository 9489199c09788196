"""The information matrix of a growing or shrinking batch, by low-rank updates."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from skactive._factors import FisherFactors

# Low-rank terms are added to the k × k matrices so many steps at a time.
_PENDING_STEPS = 16
# Gains are computed in blocks of about so many numbers, which fit a cache, of at least so many
# samples, for each has a loop over C in Python.
_BLOCK, _FEWEST_AT_ONCE = 2**18, 256


class Information:
    """W = M⁻¹ and Q = W I_U W in float64, by a base and low-rank terms that are pending.

    Adding or removing V_s changes W by ∓UUᵀ, with U = W V_sᵀ L⁻ᵀ and LLᵀ = I ± V_s W V_sᵀ. With
    G = Q V_sᵀ L⁻ᵀ = W I_U U and K = UᵀI_U U = L⁻¹ V_s Q V_sᵀ L⁻ᵀ, Q changes by
    ∓(U Gᵀ + G Uᵀ) + U K Uᵀ. So neither I_U nor a k×k×k product is needed after the beginning.

    V is scaled by √(n/(n_L+n)) throughout; I_U is not.

    Parameters
    ----------
    I_U : torch.Tensor of float64, of shape (k, k)
        The mean information of candidates and labelled samples; left as it is.
    labelled : torch.Tensor of float64, of shape (k, k), or None
        The sum n_L I_L over the labelled samples; overwritten. None if there are none.
    n_L, n : int
        How many are labelled, and how many are to be picked.
    regularization : float
        λ.
    """

    def __init__(
        self, I_U: Tensor, labelled: Tensor | None, n_L: int, n: int, regularization: float
    ) -> None:
        self.scale = (n / (n_L + n)) ** 0.5  # of V
        if labelled is not None:
            M = labelled.div_(n_L + n)
            M.diagonal().add_(regularization)
            self.W = torch.cholesky_inverse(torch.linalg.cholesky(M))
            self.Q = self.W @ I_U @ self.W
            self.Q = (self.Q + self.Q.T) / 2
        else:
            self.W = torch.eye(len(I_U), dtype=torch.float64, device=I_U.device) / regularization
            self.Q = I_U / regularization**2
        self._forget()

    def copy(self) -> Information:
        """Return one that can go another way from here."""
        self.settle()
        other = copy.copy(self)
        other.W, other.Q = self.W.clone(), self.Q.clone()
        return other

    def _forget(self) -> None:
        k = len(self.W)
        self._U = self.W.new_empty(k, 0)
        self._H = self.W.new_empty(k, 0)
        self._signs = self.W.new_empty(0)
        self._steps = 0

    def settle(self) -> None:
        """Add the pending terms to W and Q."""
        if self._steps:
            signed = self._U * self._signs
            self.W.addmm_(signed, self._U.T)
            self.Q.addmm_(self._U, self._H.T).addmm_(self._H, self._U.T)
            self._forget()

    def quadratics(self, V: FisherFactors) -> tuple[Tensor, Tensor]:
        """Return A = V W Vᵀ and B = V Q Vᵀ of some samples, each (N, C, C), in V's precision."""
        self.settle()
        A = V.quadratic(self.W.to(V.dtype)).mul_(self.scale**2)
        return A, V.quadratic(self.Q.to(V.dtype)).mul_(self.scale**2)

    def through(self, V: FisherFactors) -> tuple[Tensor, Tensor]:
        """Return V W and V Q of a few samples in float64, each (n, C, k), without settling."""
        V_U, V_H = V.matmul(self._U), V.matmul(self._H)
        VW = V.matmul(self.W) + (V_U * self._signs) @ self._U.T
        return VW, V.matmul(self.Q) + V_U @ self._H.T + V_H @ self._U.T

    def between(self, V: FisherFactors, VW: Tensor, VQ: Tensor) -> tuple[Tensor, Tensor]:
        """Return A = V W Vᵀ and B = V Q Vᵀ from what `through` returned for V."""
        return V.contract(VW) * self.scale**2, V.contract(VQ) * self.scale**2

    def change(self, A: Tensor, B: Tensor, VW: Tensor, VQ: Tensor, sign: float) -> Tensor:
        """Add (sign +1) or remove (−1) one sample, and settle after every few.

        Parameters
        ----------
        A, B : torch.Tensor of shape (C, C)
            The sample's, as `between` returns them.
        VW, VQ : torch.Tensor of shape (C, k)
            The sample's, as `through` returns them.
        sign : float
            +1 or −1.

        Returns
        -------
        torch.Tensor of shape (k, 2C)
            [U, H], with which W changed by ∓UUᵀ and Q by U Hᵀ + H Uᵀ: H = UK/2 ∓ G.
        """
        L = torch.linalg.cholesky(torch.eye(len(A)).to(A) + sign * A)
        U, G = torch.linalg.solve_triangular(
            L, self.scale * torch.stack([VW, VQ]), upper=False
        ).mT  # (2, k, C)
        half = torch.linalg.solve_triangular(L, B, upper=False)
        K = torch.linalg.solve_triangular(L, half.T, upper=False)
        H = U @ (K + K.T) / 4 - sign * G
        self._U, self._H = torch.cat([self._U, U], 1), torch.cat([self._H, H], 1)
        self._signs = torch.cat([self._signs, torch.full_like(U[0], -sign)])
        self._steps += 1
        if self._steps >= _PENDING_STEPS:
            self.settle()
        return torch.cat([U, H], 1)


def gains_of(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Return tr[(I + A)⁻¹ B] of each sample, by symmetric elimination.

    The samples are the last axis: for small C that is two to three times as fast as one
    factorisation a sample. With I + A = L D Lᵀ the trace is Σ_j (L⁻¹ B L⁻ᵀ)_jj / D_j.

    Parameters
    ----------
    A, B : torch.Tensor of shape (N, C, C)
        Symmetric.

    Returns
    -------
    torch.Tensor of shape (N,)
        The traces.
    torch.Tensor of bool, of shape (N,)
        Whether I + A was positive definite.

    Examples
    --------
    >>> import torch
    >>> gains_of(torch.tensor([[[1.0]], [[-3.0]]]), torch.tensor([[[4.0]], [[4.0]]]))
    (tensor([ 2., -2.]), tensor([ True, False]))
    """
    N, C, _ = A.shape
    traces, sound = A.new_zeros(N), torch.ones(N, dtype=torch.bool, device=A.device)
    size = max(_FEWEST_AT_ONCE, _BLOCK // C**2)
    for start in range(0, N, size):
        block = slice(start, start + size)
        trace, good = traces[block], sound[block]
        a, b = (M[block].permute(1, 2, 0).contiguous() for M in (A, B))  # (C, C, n)
        a.diagonal(dim1=0, dim2=1).add_(1)
        for j in range(C):
            good &= a[j, j] > 0
            inverse = a[j, j].reciprocal()
            trace.addcmul_(b[j, j], inverse)
            below = slice(j + 1, C)
            l_j = a[below, j] * inverse
            w = b[below, j] - l_j * (b[j, j] / 2)
            a[below, below].addcmul_(l_j[:, None], a[None, j, below], value=-1)
            b[below, below].addcmul_(l_j[:, None], w[None], value=-1)
            b[below, below].addcmul_(w[:, None], l_j[None], value=-1)
    return traces, sound
