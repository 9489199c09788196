"""Checks of what the greedy selections are given."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from skactive._validation import as_numbers, check_count, invalid


def check_apart(pool: np.ndarray, labels: np.ndarray, owner: str) -> None:
    """Raise if a candidate is labelled."""
    both = np.intersect1d(pool, labels)
    if len(both):
        must = "positions of samples that are not labelled"
        remedy = f"Position {both[0]} is in both; remove it from one."
        raise invalid("candidates", owner, must, pool, remedy)


def positions(name: str, given: Any, owner: str, N: int | None = None) -> np.ndarray:
    """Return positions below N as int64, or raise."""
    array = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
    if array.size == 0 and name == "labelled":
        return np.arange(0)
    good = array.ndim == 1 and array.size > 0 and np.issubdtype(array.dtype, np.integer)
    low, high = (array.min(), array.max()) if good else (0, 0)
    beyond = low < 0 or (N is not None and high >= N)
    if not good or beyond or len(np.unique(array)) < len(array):
        must = "distinct int positions " + ("of 0 or more" if N is None else f"from 0 to {N - 1}")
        remedy = "Of a bool array, pass np.flatnonzero." if array.dtype == bool else ""
        raise invalid(name, owner, must, given, remedy)
    return array.astype(np.int64)


def check_at_least(name: str, value: Any, low: float, owner: str) -> None:
    """Raise unless a value is a finite number of at least `low`, and not 0."""
    real = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not real or value < low or value == 0:
        must = f"a finite number of at least {low:g}" if low else "a finite number above 0"
        raise invalid(name, owner, must, value)


def check_regularization(value: Any, owner: str) -> float | None:
    """Return λ, or None where it follows from I_T, or raise."""
    if isinstance(value, str):
        if value != "auto":
            must = "'auto' or a finite number above 0"
            raise invalid("regularization", owner, must, value)
        return None
    check_at_least("regularization", value, 0.0, owner)
    return float(value)


def check_components(value: Any, owner: str) -> int | None:
    """Return a number of directions, or None for all, or raise."""
    return None if value is None else check_count("components", owner, value)


def check_weights(given: Any, owner: str, N: int | None = None) -> np.ndarray:
    """Return weights as float64, with a sum of 1, or raise."""
    w = as_numbers(given)
    good = w is not None and w.ndim == 1 and w.dtype.kind in "iuf" and N in (None, len(w))
    if w is None or not good or not (np.isfinite(w) & (w >= 0)).all() or not w.any():
        shape = "(N,)" if N is None else f"({N},)"
        must = f"finite numbers of at least 0, not all of them 0, of shape {shape}"
        raise invalid("weights", owner, must, given)
    w = w.astype(np.float64)
    return w / w.max() / (w / w.max()).sum()
