"""Memory that a greedy selection by Fisher information takes."""

from __future__ import annotations

from skactive.fisher._factors import FisherFactors

# C × C matrices per sample that a greedy selection by Fisher information holds at once, at most:
# A and B, as they are and put together.
_MATRICES_EACH = 4
# k × k matrices in float64 that it holds at once, at most: in the set-up, I_U, the labelled
# samples' information, W, Q, and two intermediate results.
_MATRICES = 6


def matrix_bytes(k: int) -> int:
    """Return how much memory the k × k matrices of `greedy_fisher` take at once, in bytes."""
    return _MATRICES * 8 * k**2


def sample_bytes(factors: FisherFactors) -> int:
    """Return how much memory a sample takes in `greedy_fisher`, in bytes: V, A and B.

    Three times as much where factors in float32 are too ill-scaled, and are converted to float64.
    """
    _, C, _ = factors.shape
    return (factors.numbers_each + _MATRICES_EACH * C**2) * factors.dtype.itemsize
