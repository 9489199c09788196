"""Fewer directions: Fisher information on the top eigenvectors of what is averaged over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import torch
from torch import Tensor

from skactive.fisher._dense import DenseFactors
from skactive.fisher._factors import FisherFactors, weighted_blocks

# Factors, and how much each of their samples counts.
Weighted = tuple[FisherFactors, Tensor]

# Up to this k the k × k matrix is formed, and all of its eigenvectors are computed.
ALL_UP_TO = 384
# Directions that are iterated beside those wanted, so that these come apart from the others sooner.
MORE = 16
# The iteration ends when the share of the trace that is kept has risen by less than this.
_RISE, _MOST = 1e-4, 20


def top_directions(parts: Sequence[Weighted], m: int) -> Annotated[Tensor, "k m"]:
    """Return the eigenvectors of the m largest eigenvalues of Σ w V(x)ᵀ V(x).

    For large k they come from a subspace iteration with products of the factors, so that no k × k
    matrix is formed; what is found then keeps nearly as much of the trace. It starts from the same
    numbers each time.

    Parameters
    ----------
    parts : sequence of (FisherFactors, torch.Tensor of shape (N,))
        Factors on the same k parameters, and the weights of their samples.
    m : int
        Number of directions; k if that is fewer.

    Returns
    -------
    torch.Tensor of float64, of shape (k, min(m, k))
        Orthonormal columns, the largest eigenvalue first.
    """
    k = parts[0][0].shape[2]
    m = min(m, k)
    n_found = m + MORE
    if k <= ALL_UP_TO or 2 * n_found >= k:
        total = sum((V.gram(w) for V, w in parts[1:]), parts[0][0].gram(parts[0][1]))
        return torch.linalg.eigh(total).eigenvectors[:, -m:].flip(1)
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(k, n_found, generator=draw, dtype=torch.float64)
    Q = torch.linalg.qr(start.to(parts[0][0].device)).Q
    kept = -torch.inf
    for _ in range(_MOST):
        Z = _applied(parts, Q)
        values, vectors = torch.linalg.eigh(Q.T @ Z)  # of the subspace; float32 is not symmetric
        found = Q @ vectors[:, -m:].flip(1)
        before, kept = kept, float(values[-m:].sum())
        if kept - before <= _RISE * abs(kept):
            break
        Q = torch.linalg.qr(Z).Q
    return found


def on_directions(V: FisherFactors, U: Tensor) -> DenseFactors:
    """Return V U, of shape (N, C, m), in the factors' precision."""
    return DenseFactors(V.matmul(U.to(V.dtype)))


def weighted_trace(V: FisherFactors, weights: Annotated[Tensor, "N"]) -> Annotated[Tensor, ""]:
    """Return Σ w tr(V(x)ᵀ V(x)), a number in float64; samples of weight zero are skipped."""
    counts = torch.nonzero(weights).flatten()
    return V.take(counts).traces().dot(weights[counts].to(V.device))


def share_kept(kept: Tensor, whole: Tensor) -> float:
    """Return the share of a trace that is kept; all of one that is 0."""
    return min(1.0, float(kept / whole)) if bool(whole > 0) else 1.0


def _applied(parts: Sequence[Weighted], Q: Tensor) -> Tensor:
    """Σ w V(x)ᵀ (V(x) Q), of shape (k, l); the products are in the factors' precision."""
    total = torch.zeros_like(Q)
    for V, weights in parts:
        narrow = Q.to(V.dtype)
        for part, weight in _blocks(V, weights):
            total += part.tmatmul(part.matmul(narrow) * weight[:, None, None])
    return total


def _blocks(V: FisherFactors, weights: Tensor) -> Iterator[Weighted]:
    return weighted_blocks(V, weights.to(V.device, V.dtype))
