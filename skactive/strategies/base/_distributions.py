"""Rows of probabilities, which must be distributions."""

from __future__ import annotations

import numpy as np

# By how much a sum of probabilities may be off, in half precision.
_OFF_ONE = 1e-2


def are_probabilities(p: np.ndarray) -> bool:
    """Return whether all rows of p, (n, C), are finite, not negative and of sum 1."""
    return bool(p.min(initial=0) >= 0 and (np.abs(p.sum(1) - 1) <= _OFF_ONE).all())


def check_probabilities(p: np.ndarray, what: str, remedy: str) -> None:
    """Raise unless the rows of p, (n, C), are distributions: not negative, and of sum 1.

    Parameters
    ----------
    p : ndarray of shape (n, C)
        The rows; those that are not finite are left to other checks.
    what : str
        What returned them; begins the message.
    remedy : str
        What to do about it; ends the message.
    """
    sums = p.sum(1)
    wrong = np.isfinite(sums) & ((np.abs(sums - 1) > _OFF_ONE) | (p < 0).any(1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{what} must return probabilities: rows that are not negative and sum to 1. Got a row "
            f"that sums to {sums[first]:.4g}, with a smallest value of {p[first].min():.4g}. "
            f"{remedy}."
        )
