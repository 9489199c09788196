"""The top eigenvectors of diag(p) − p pᵀ, for any number of classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from skactive._device import NO_FLOAT64

# Probabilities that are equal are moved apart by this part of them, so that all eigenvalues differ.
_APART = {torch.float64: 2.0**-40, torch.float32: 2.0**-20}
# Probabilities below this count as 0: what follows divides by their squares.
_TINY = {torch.float64: 1e-100, torch.float32: 1e-15}
# Samples are taken so many at a time that intermediate results have about this many numbers.
_BLOCK = 2**20
_MOST_STEPS = 60


def top_rows(logits: Annotated[Tensor, "N C"], rank: int) -> Annotated[Tensor, "N r C"]:
    """Return rows R, so that RᵀR is diag(p) − p pᵀ on its top eigenvectors.

    Row j is √λ_j u_j, the largest eigenvalue first. Where the rank is C − 1 or more, RᵀR is the
    whole matrix, as of `reduced_rows`.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.
    rank : int
        r, at least 1.

    Returns
    -------
    torch.Tensor of shape (N, min(r, C - 1), C)
        R.

    Examples
    --------
    >>> import torch
    >>> top_rows(torch.zeros(1, 2), 1).square().mul(4).round()
    tensor([[[1., 1.]]])
    """
    N, C = logits.shape
    r = min(rank, C - 1)
    rows = logits.new_zeros(N, r, C)
    for block in _blocks(N, r * C):
        p, order = _sorted(logits[block])
        values, vectors = _eigenpairs(p, r)
        found = (values.sqrt()[:, :, None] * vectors).to(rows.dtype)
        rows[block].scatter_(2, order[:, None].expand_as(found), found)
    return rows


def spectrum(
    logits: Annotated[Tensor, "N C"], rank: int
) -> tuple[Annotated[Tensor, "r"], Annotated[Tensor, ""]]:
    """Return the sums over samples of the top eigenvalues of diag(p) − p pᵀ, and of its trace.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.
    rank : int
        Number of eigenvalues, at least 1.

    Returns
    -------
    torch.Tensor of shape (min(rank, C - 1),)
        Σ_i λ_ij, in float64 where the device has it.
    torch.Tensor
        Σ_i Σ_c p_c (1 − p_c), a number.
    """
    N, C = logits.shape
    r = min(rank, C - 1)
    sums, trace = [], []
    for block in _blocks(N, r * C):
        p, _ = _sorted(logits[block])
        sums.append(_eigenpairs(p, r)[0].sum(0))
        rest = p[:, 1:].sum(1)  # 1 − p of the likeliest, which loses its digits as a difference
        trace.append((p[:, 0] * rest).sum() + (p[:, 1:] * (1 - p[:, 1:])).sum())
    return torch.stack(sums).sum(0), torch.stack(trace).sum()


def _blocks(N: int, numbers_each: int) -> Iterator[slice]:
    size = max(1, _BLOCK // numbers_each)
    for start in range(0, N, size):
        yield slice(start, min(start + size, N))


def _sorted(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return p from the largest on, in float64 where the device has it, and whose each is."""
    logits = logits if logits.device.type in NO_FLOAT64 else logits.double()
    p = logits.log_softmax(1).exp()
    return torch.sort(p.where(p > _TINY[p.dtype], 0), dim=1, descending=True, stable=True)


def _eigenpairs(
    p: Annotated[Tensor, "n C"], r: int
) -> tuple[Annotated[Tensor, "n r"], Annotated[Tensor, "n r C"]]:
    """Return the top r eigenvalues (n, r) and eigenvectors (n, r, C), p from the largest on.

    Since the p_c sum to 1, the eigenvalues other than 0 are the zeros of

        g(λ) = Σ_c p_c / (p_c − λ),

    one between each p_j and the next, where g rises from −∞ to ∞; u_c = p_c / (p_c − λ) up to its
    length. There is none below the last p_j above 0. What is solved for is τ, the distance from the
    nearer of the two poles, so that no difference loses its digits.
    """
    p = p * (1 - _APART[p.dtype] * torch.arange(p.shape[1], device=p.device, dtype=p.dtype))
    upper, lower = p[:, :r], p[:, 1 : r + 1]
    there = lower > 0
    upper, lower = torch.where(there, upper, 3.0), torch.where(there, lower, 2.0)
    half = (upper - lower) / 2
    at_lower = _terms(p, p[:, None] - lower[:, :, None], half).sum(2) > 0
    origin = torch.where(at_lower, lower, upper)
    distances = p[:, None] - origin[:, :, None]  # (n, r, C); 0 at the pole
    tau, terms = _root(p, distances, upper - origin, lower - origin, at_lower, there)
    values = torch.where(there, origin + tau, 0.0)
    vectors = terms / torch.linalg.vector_norm(terms, dim=2, keepdim=True)
    return values, vectors


def _terms(p: Tensor, distances: Tensor, tau: Tensor) -> Tensor:
    """p_c / (p_c − λ), of shape (n, r, C)."""
    return p[:, None] / (distances - tau[:, :, None])


def _root(
    p: Tensor, distances: Tensor, upper: Tensor, lower: Tensor, at_lower: Tensor, there: Tensor
) -> tuple[Tensor, Tensor]:
    """Return τ and the terms of g at it, given where the poles are and whether there is a zero.

    A step takes g for what two poles make of it, those between which the zero is, with the value
    and slope of the terms of either sign (R.-C. Li, LAPACK Working Note 89); where that leaves the
    bracket, it is halved.
    """
    half = (upper - lower) / 2
    low, high = torch.where(at_lower, 0.0, -half), torch.where(at_lower, half, 0.0)
    tau = (low + high) / 2
    for _ in range(_MOST_STEPS):
        terms = _terms(p, distances, tau)
        slopes = terms / (distances - tau[:, :, None])  # all at least 0
        g = terms.sum(2)
        low, high = torch.where(g <= 0, tau, low), torch.where(g >= 0, tau, high)
        to_upper, to_lower = upper - tau, lower - tau
        rise = slopes.where(terms > 0, 0).sum(2)
        fall = slopes.where(terms < 0, 0).sum(2)
        # c0 + s_up/(upper − t) + s_low/(lower − t), one of upper and lower being 0
        s_up, s_low = to_upper.square() * rise, to_lower.square() * fall
        c0 = g - to_upper * rise - to_lower * fall
        b = c0 * (upper + lower) + s_up + s_low
        c = s_up * lower + s_low * upper
        root = (b.square() - 4 * c0 * c).clamp_min(0).sqrt()
        new = torch.where(b > 0, 2 * c / (b + root), (b - root) / (2 * c0))
        done = ~there | (g == 0) | ((new - tau).abs() <= 8 * torch.finfo(p.dtype).eps * tau.abs())
        new = torch.where((new > low) & (new < high), new, (low + high) / 2)
        tau = torch.where(done, tau, new)
        if bool(done.all()):
            break
    return tau, _terms(p, distances, tau)
