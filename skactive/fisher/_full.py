"""The whole information matrix of a growing or shrinking batch, by low-rank updates."""

from __future__ import annotations

import copy
from typing import Annotated

import torch
from torch import Tensor

from skactive._validation import Description, invalid
from skactive.fisher._curvature import Change, Curvature, Exact, State
from skactive.fisher._factors import FisherFactors

# Low-rank terms are added to the k × k matrices this many steps at a time.
_PENDING_STEPS = 16
# What is added to them is symmetric, and computed in this many strips up to the diagonal.
_STRIPS = 4


class FullCurvature(Curvature):
    """M whole, and W = M⁻¹ in float64, by a base and low-rank terms that are pending.

    Adding or removing V_s changes W by ∓UUᵀ, with U = W V_sᵀ L⁻ᵀ and LLᵀ = I ± V_s W V_sᵀ. With
    G = Q V_sᵀ L⁻ᵀ = W I_T U and K = UᵀI_T U = L⁻¹ V_s Q V_sᵀ L⁻ᵀ, Q = W I_T W changes by
    ∓(U Gᵀ + G Uᵀ) + U K Uᵀ. Q itself is not kept: it falls by many orders of magnitude where λ is
    small, and what is left of it after subtractions would be their rounding.

    The state of a sample is A = V W Vᵀ beside T, with B = T + Tᵀ = V W I_T W Vᵀ, so that one
    product updates both; its gain is tr[(I + A)⁻¹ B]. V is scaled by √(n/(n_L+n)) throughout; I_T
    is not.

    Parameters
    ----------
    I_T : torch.Tensor of float64, of shape (k, k)
        The information that the objective averages over; left as it is.
    labelled : torch.Tensor of float64, of shape (k, k), or None
        The sum n_L I_L over the labelled samples; overwritten. None if there are none.
    n_L, n : int
        Number of labelled samples, and number of samples to pick.
    regularization : float
        λ.
    """

    n_state, n_exact = 1, 4

    def __init__(
        self, I_T: Tensor, labelled: Tensor | None, n_L: int, n: int, regularization: float
    ) -> None:
        self.scale = (n / (n_L + n)) ** 0.5  # of V
        if labelled is not None:
            M = labelled.div_(n_L + n)
            M.diagonal().add_(regularization)
            self.W = inverse(M)
        else:
            self.W = torch.eye(len(I_T), dtype=torch.float64, device=I_T.device) / regularization
        self._I_T = I_T
        self._forget()

    def copy(self) -> FullCurvature:
        """Return a copy that can go another way from here."""
        self.settle()
        other = copy.copy(self)
        other.W = self.W.clone()
        return other

    def _forget(self) -> None:
        k = len(self.W)
        self._U = self.W.new_empty(k, 0)
        self._signs = self.W.new_empty(0)
        self._steps = 0

    def settle(self) -> None:
        """Add the pending terms to W."""
        if self._steps:
            _add_symmetric(self.W, self._U * self._signs, self._U)
            self._forget()

    def blocks(self, V: FisherFactors) -> list[slice]:
        return _scored_blocks(*V.shape[:2], V.device)

    def start(self, V: FisherFactors) -> State:
        self.settle()
        Q = self.W @ self._I_T @ self.W
        Q = Q.add_(Q.T.clone()).div_(2)
        AT = V.quadratic(self.W.to(V.dtype), Q.to(V.dtype)).mul_(self.scale**2)
        AT[:, :, V.shape[1] :].div_(2)
        return (AT,)  # (N, C, 2C)

    def update(self, V: FisherFactors, state: State, change: Change) -> None:
        """A ← A ∓ Y Yᵀ and T ← T + Y Y_Hᵀ, with [Y, Y_H] = V [U, H]."""
        C = V.shape[1]
        Y = V.matmul(change.parts[0])
        sides = Y.unflatten(2, (2, C)).permute(0, 3, 2, 1)  # (n, C, 2, C)
        # A copy in any case: with one row, `contiguous` would share the memory of Y.
        sides = sides.clone(memory_format=torch.contiguous_format)
        sides[:, :, 0].mul_(-change.sign)
        state[0].baddbmm_(Y[:, :, :C], sides.flatten(2))

    def gains(self, state: State, sign: float = 1.0) -> tuple[Tensor, Tensor]:
        A, T = state[0].split(state[0].shape[1], dim=2)
        gains, sound = gains_of(A if sign > 0 else -A, T)
        return gains.mul_(2), sound

    def exact(self, V: FisherFactors) -> Exact:
        VW = V.matmul(self.W) + (V.matmul(self._U) * self._signs) @ self._U.T  # without settling
        VWI = (VW.flatten(0, 1) @ self._I_T).view(VW.shape)
        A, B = V.contract(VW) * self.scale**2, VWI @ VW.mT * self.scale**2
        return Exact(gains_of(A, B)[0], (A, B, VW, VWI))

    def change(self, exact: Exact, sign: float) -> Change:
        """Add or remove one sample, and settle after every few.

        The change's part is √(n/(n_L+n)) [U, H], of shape (k, 2C), with which W changed by ∓UUᵀ and
        Q by U Hᵀ + H Uᵀ: H = UK/2 ∓ G.
        """
        A, B, VW, VWI = exact.parts
        VQ = VWI @ self.W + ((VWI @ self._U) * self._signs) @ self._U.T
        L = _cholesky(torch.eye(len(A)).to(A) + sign * A)
        U, G = torch.linalg.solve_triangular(
            L, self.scale * torch.stack([VW, VQ]), upper=False
        ).mT  # (2, k, C)
        half = torch.linalg.solve_triangular(L, B, upper=False)
        K = torch.linalg.solve_triangular(L, half.T, upper=False)
        H = U @ (K + K.T) / 4 - sign * G
        self._pend(U, -sign)
        return Change(sign, (self.scale * torch.cat([U, H], 1),))

    def _pend(self, U: Tensor, sign: float) -> None:
        self._U = torch.cat([self._U, U], 1)
        self._signs = torch.cat([self._signs, torch.full_like(U[0], sign)])
        self._steps += 1
        if self._steps >= _PENDING_STEPS:
            self.settle()


def gains_of(
    A: Annotated[Tensor, "N C C"], B: Annotated[Tensor, "N C C"]
) -> tuple[Annotated[Tensor, "N"], Annotated[Tensor, "N"]]:
    """Return tr[(I + A)⁻¹ B] of each sample.

    I + A is inverted by symmetric sweeps, with the samples as the last axis: for small C that is
    several times as fast as one factorisation per sample.

    Parameters
    ----------
    A : torch.Tensor of shape (N, C, C)
        Symmetric.
    B : torch.Tensor of shape (N, C, C)
        Only B + Bᵀ matters.

    Returns
    -------
    torch.Tensor of shape (N,)
        The traces.
    torch.Tensor of bool, of shape (N,)
        Whether I + A was positive definite, and the trace finite.

    Examples
    --------
    >>> import torch
    >>> gains_of(torch.tensor([[[1.0]], [[-3.0]]]), torch.tensor([[[4.0]], [[4.0]]]))
    (tensor([ 2., -2.]), tensor([ True, False]))
    """
    N, C, _ = A.shape
    traces, sound = A.new_empty(N), torch.empty(N, dtype=torch.bool, device=A.device)
    for block in _scored_blocks(N, C, A.device):
        a = A[block].permute(1, 2, 0).clone(memory_format=torch.contiguous_format)  # (C, C, n)
        a.diagonal(dim1=0, dim2=1).add_(1)
        pivots = torch.empty_like(a[0])
        for j in range(C):  # afterwards a is −(I + A)⁻¹
            pivots[j] = a[j, j]
            row, pivot = a[j].clone(), a[j, j].reciprocal()
            scaled = row * pivot
            a.addcmul_(row[:, None], scaled, value=-1)
            a[j] = a[:, j] = scaled
            a[j, j] = -pivot
        sound[block] = (pivots > 0).all(0)
        inverse = a.flatten(0, 1).neg_()
        traces[block] = inverse.mul_(B[block].flatten(1).T).sum(0)
    return traces, sound & torch.isfinite(traces)


def _scored_blocks(N: int, C: int, device: torch.device) -> list[slice]:
    """Cut N samples with C × C numbers each into blocks to work on at once.

    On a CPU these stay in its caches; but not too few, for each block has loops in Python.
    """
    size = 2**18 // C**2 if device.type == "cpu" else 2**26 // C**2
    size = max(256, size)
    return [slice(start, min(start + size, N)) for start in range(0, N, size)]


def _cholesky(M: Tensor) -> Tensor:
    L, failed = torch.linalg.cholesky_ex(M)
    if bool(failed) or not bool(torch.isfinite(L).all()):
        raise too_small()
    return L


def inverse(M: Tensor) -> Tensor:
    """Return M⁻¹ of a positive definite M, or raise."""
    return torch.cholesky_inverse(_cholesky(M))


def too_small() -> ValueError:
    """Return the error for a λ with which M cannot be inverted."""
    return invalid(
        "regularization",
        "greedy_fisher",
        "large enough, against the squares of the factors, for M to be inverted in float64",
        Description("one too small"),
        "Raise it, or scale the factors down.",
    )


def _add_symmetric(M: Tensor, left: Tensor, right: Tensor) -> None:
    """M ← M + left rightᵀ, all three symmetric: strips up to the diagonal, and their mirror."""
    step = max(1, -(-len(M) // _STRIPS))
    for start in range(0, len(M), step):
        rows, stop = slice(start, start + step), start + step
        M[rows, :stop].addmm_(left[rows], right[:stop].T)
        M[:start, rows] = M[rows, :start].T
