"""The information of a batch as one block per class, by rank-one updates of each."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._curvature import Change, Curvature, Exact, State
from skactive.fisher._factors import FisherFactors, cut
from skactive.fisher._full import inverse, too_small


class BlockCurvature(Curvature):
    """M of blocks M_c, one per class, and W_c = M_c⁻¹ in float64.

    With M_c = λI + n_L/(n_L+n) I_{L,c} + s Σ_S ω_c h hᵀ, s = n/(n_L+n), the gain of a sample is

        Σ_c sω_c β_c / (1 + sω_c α_c),    α_c = hᵀ W_c h,    β_c = hᵀ W_c I_c W_c h,

    and the state of a sample α, β and sω. Adding or removing x changes, with u = W_c h_x,
    v = W_c I_c u and κ = sω_c(x) / (1 ± sω_c(x) α_c(x)),

        W_c ← W_c ∓ κ u uᵀ,   α_c ← α_c ∓ κ (hᵀu)²,   β_c ← β_c ∓ (hᵀu)(hᵀ(2κ v ∓ κ² β_c(x) u)),

    so that a pick costs one product of h with a D × 2C matrix for all samples.

    Parameters
    ----------
    I_T : torch.Tensor of float64, of shape (C, D, D)
        I_c of each class; left as it is.
    labelled : torch.Tensor of float64, of shape (C, D, D), or None
        The sums n_L I_{L,c} over the labelled samples; overwritten. None if there are none.
    n_L, n : int
        Number of labelled samples, and number of samples to pick.
    regularization : float
        λ.

    References
    ----------
    .. [1] Approx-FIRAL, arXiv 2409.07392, whose blocks these are.
    """

    n_state, n_exact = 3, 5

    def __init__(
        self, I_T: Tensor, labelled: Tensor | None, n_L: int, n: int, regularization: float
    ) -> None:
        self._s = n / (n_L + n)
        self._I_T = I_T
        if labelled is None:
            one = torch.eye(I_T.shape[1], dtype=torch.float64, device=I_T.device) / regularization
            self.W = one.expand_as(I_T).clone()
        else:
            for M in labelled.div_(n_L + n):
                M.diagonal().add_(regularization)
                M.copy_(inverse(M))
            self.W = labelled

    def copy(self) -> BlockCurvature:
        other = copy.copy(self)
        other.W = self.W.clone()
        return other

    def blocks(self, V: FisherFactors) -> list[slice]:
        return cut(len(V), 8 * V.shape[1])

    def start(self, V: FisherFactors) -> State:
        V = _of_blocks(V)
        h, rates = V.right, V.roots.square() * self._s
        alpha, beta = torch.empty_like(rates), torch.empty_like(rates)
        for c, (W, I_c) in enumerate(zip(self.W, self._I_T, strict=True)):
            Q = W @ I_c @ W
            alpha[:, c] = ((h @ W.to(h.dtype)) * h).sum(1)
            beta[:, c] = ((h @ (Q + Q.T).div_(2).to(h.dtype)) * h).sum(1)
        return alpha, beta, rates

    def update(self, V: FisherFactors, state: State, change: Change) -> None:
        alpha, beta, _ = state
        left, right = (_of_blocks(V).right @ change.parts[0]).chunk(2, dim=1)
        beta.addcmul_(left, right, value=-change.sign)
        alpha.addcmul_(left, left, value=-change.sign)

    def gains(self, state: State, sign: float = 1.0) -> tuple[Tensor, Tensor]:
        alpha, beta, rates = state
        pivots = 1 + sign * rates * alpha
        gains = (rates * beta / pivots).sum(1)
        return gains, (pivots > 0).all(1) & torch.isfinite(gains)

    def exact(self, V: FisherFactors) -> Exact:
        V = _of_blocks(V)
        h, rates = V.right, V.roots.square() * self._s
        hW = torch.matmul(h, self.W)  # (C, n, D)
        hWI = torch.bmm(hW, self._I_T)
        alpha, beta = (hW * h).sum(2).T, (hWI * hW).sum(2).T
        gains = (rates * beta / (1 + rates * alpha)).sum(1)
        return Exact(gains, (rates, alpha, beta, hW.transpose(0, 1), hWI.transpose(0, 1)))

    def change(self, exact: Exact, sign: float) -> Change:
        """Add or remove one sample; the change's part is √κ [u, 2v ∓ κ β u], (D, 2C)."""
        rates, alpha, beta, u, Iu = exact.parts
        pivots = 1 + sign * rates * alpha
        if not bool((pivots > 0).all()):
            raise too_small()
        kappa = (rates / pivots)[:, None]
        v = torch.bmm(self.W, Iu[:, :, None])[:, :, 0]  # before W moves on
        left = kappa.sqrt() * u
        right = kappa.sqrt() * (2 * v - sign * kappa * beta[:, None] * u)
        for W, one in zip(self.W, left, strict=True):
            W.addr_(one, one, alpha=-sign)
        return Change(sign, (torch.cat([left, right]).T.contiguous(),))


def _of_blocks(V: FisherFactors) -> BlockFactors:
    assert isinstance(V, BlockFactors)
    return V
