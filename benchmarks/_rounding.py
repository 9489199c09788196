"""The rounding step of Approx-FIRAL, plainly, from the formulas of its paper (arXiv 2409.07392).

With the blocks H_c = Σ_S ω_c h hᵀ of what is picked, Σ_c those of a relaxed solution, and
B_c = νΣ_c + ηH_c, where ν > 0 makes Σ_c tr[(νI + ηΣ_c^{-1/2} H_c Σ_c^{-1/2})⁻²] = 1, the next
sample is the one with the largest

    Σ_c ω_c hᵀ B_c⁻¹ Σ_c B_c⁻¹ h / (1 + η ω_c hᵀ B_c⁻¹ h).

All quadratic forms are computed anew at each pick, O(N·C·D²). Without labelled samples; the relaxed
solution is the even one, n/N each, since what is compared is the rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def blocks_of(omega: Tensor, h: Tensor) -> Tensor:
    """Σ ω_c h hᵀ of each class, (C, D, D), in float64."""
    return torch.stack([(h * rate[:, None]).double().T @ h.double() for rate in omega.T])


def rounded(omega: Tensor, h: Tensor, n: int, eta: float) -> np.ndarray:
    """Pick n samples; omega (N, C), h (N, D)."""
    (N, C), D = omega.shape, h.shape[1]
    Sigma = blocks_of(omega, h) * (n / N)
    root = torch.linalg.inv(torch.linalg.cholesky(Sigma))  # any square root has these eigenvalues
    H = torch.zeros_like(Sigma)
    nu = float(C * D) ** 0.5  # with H = 0
    picks: list[int] = []
    for _ in range(n):
        W = torch.linalg.inv(nu * Sigma + eta * H)
        Q = W @ Sigma @ W
        gains = torch.zeros(N, dtype=h.dtype)
        for c in range(C):
            alpha = ((h @ W[c].to(h.dtype)) * h).sum(1)
            beta = ((h @ Q[c].to(h.dtype)) * h).sum(1)
            gains += omega[:, c] * beta / (1 + eta * omega[:, c] * alpha)
        gains[picks] = -torch.inf
        picks.append(int(gains.argmax()))
        x = h[picks[-1]].double()
        H += omega[picks[-1]].double()[:, None, None] * torch.outer(x, x)
        nu = _nu(torch.linalg.eigvalsh(root @ H @ root.mT), eta)
    return np.array(picks)


def _nu(eigenvalues: Tensor, eta: float) -> float:
    """Return ν with Σ (ν + η λ)⁻² = 1, by bisection."""
    values = (eta * eigenvalues.clamp_min(0)).flatten()
    low, high = 0.0, float(len(values)) ** 0.5  # the sum is at most 1 there
    for _ in range(60):
        middle = (low + high) / 2
        if float(((middle + values) ** -2).sum()) > 1:
            low = middle
        else:
            high = middle
    return high
