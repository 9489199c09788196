"""Fewer rows: how many eigenvectors of each sample's diag(p) − p pᵀ do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._validation import check_count, invalid
from skactive.fisher._factors import at_least_single
from skactive.gradients.engine import reduced_rows, spectrum, top_rows

_OWNER = "choose_rank"

# The share of the information that rank="auto" keeps at least.
ENOUGH = 0.99


def choose_rank(logits: Any, rank: str | int = "auto") -> tuple[int, float]:
    """Return how many rows per sample do, and the share of the information that they keep.

    The information of a sample is Jᵀ(diag(p) − p pᵀ)J, with J the Jacobian of its logits. Of the
    eigenvalues λ_i1 ≥ λ_i2 ≥ … of diag(p) − p pᵀ the top r keep Σ_i Σ_{j≤r} λ_ij / Σ_i Σ_j λ_ij.

    Parameters
    ----------
    logits : array or tensor of shape (N, C)
        The logits, or log-probabilities.
    rank : "auto" or int, default="auto"
        r; "auto" is the smallest that keeps 0.99.

    Returns
    -------
    int
        r, at most C − 1, which keeps all.
    float
        The share kept.

    Raises
    ------
    InvalidParameterError
        If the logits are not finite floats of two classes or more, or rank is no such number.

    Examples
    --------
    >>> from skactive.fisher import choose_rank
    >>> rank, kept = choose_rank([[0.0, 0.0, -9.0], [-9.0, 0.0, 0.0]])
    >>> rank, round(kept, 4)
    (1, 0.9998)
    """
    f = as_tensor(logits)
    good = f.ndim == 2 and f.is_floating_point() and len(f) > 0 and f.shape[1] > 1
    if not good or not bool(torch.isfinite(f).all()):
        raise invalid("logits", _OWNER, "finite floats of shape (N, C), C at least 2", logits)
    f = at_least_single(f)
    most, auto = f.shape[1] - 1, isinstance(rank, str) and rank == "auto"
    if not auto:
        r = min(check_rank(rank, _OWNER, "'auto' or an int of at least 1") or most, most)
        return r, float(_shares(f, r)[-1])
    tried = 1
    while True:
        shares = _shares(f, tried)
        enough = torch.nonzero(shares >= ENOUGH).flatten().tolist()
        if enough or tried >= most:
            r = enough[0] + 1 if enough else most
            return r, float(shares[r - 1])
        tried *= 2


def check_rank(rank: Any, owner: object, must: str = "None or an int of at least 1") -> int | None:
    """Return a number of rows per sample, or None for all, or raise."""
    if rank is None:
        return None
    if isinstance(rank, str):
        raise invalid("rank", owner, must, rank)
    return check_count("rank", owner, rank)


def rows_of(logits: Tensor, rank: int | None) -> Tensor:
    """Return all C − 1 rows R with RᵀR = diag(p) − p pᵀ, or the top ones."""
    return reduced_rows(logits) if rank is None else top_rows(logits, rank)


def _shares(f: Tensor, r: int) -> Tensor:
    """The share of the trace that the first 1, …, r eigenvalues keep."""
    sums, trace = spectrum(f, r)
    if not bool(trace > 0):  # no sample has any information
        return torch.ones_like(sums)
    return (sums.cumsum(0) / trace).clamp(max=1.0)
