"""The samples of highest utility."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._rng import generator
from skactive._validation import check_count, invalid


def top_n(utilities: np.ndarray, n: int, *, random_state: Any = None) -> np.ndarray:
    """Return the positions of the n highest utilities, the highest first.

    Parameters
    ----------
    utilities : array-like of shape (N,)
        One number per sample; NaN marks samples that cannot be picked.
    n : int
        Number of positions to return.
    random_state : int, RandomState, Generator or None, default=None
        Breaks exact ties at random; None breaks them by position.

    Returns
    -------
    ndarray of shape (n,), int64
        The positions.

    Raises
    ------
    InvalidParameterError
        If fewer than n utilities are numbers, or `utilities` has more than one axis.

    Examples
    --------
    >>> from skactive.selection import top_n
    >>> top_n([0.1, 0.7, 0.7, float("nan"), 0.9], 3)
    array([4, 1, 2])
    """
    utilities = np.asarray(utilities, dtype=np.float64)
    if utilities.ndim != 1:
        raise invalid("utilities", top_n, "an array with one number per sample", utilities)
    candidates = np.flatnonzero(~np.isnan(utilities))
    n = check_count("n", top_n, n, high=len(candidates), high_is="the utilities that are numbers")
    if random_state is not None:
        candidates = generator(random_state, top_n).permutation(candidates)
    order = np.argsort(-utilities[candidates], kind="stable")
    return candidates[order[:n]].astype(np.int64)
