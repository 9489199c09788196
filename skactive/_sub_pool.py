"""A part of a pool, read from it when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._batches import take_rows


class SubPool:
    """Some samples of a pool, as a sequence: nothing is copied before it is asked for.

    `np.asarray` asks for all of them.

    Parameters
    ----------
    X : array-like, Tensor, Dataset or SubPool of N samples
        The pool.
    positions : ndarray of int
        Which of its samples, in this order.
    readable : bool, default=False
        Whether unreadable files have been left out; if so, they are left out of its parts, too.
    """

    def __init__(self, X: Any, positions: np.ndarray, readable: bool = False) -> None:
        self.X: Any = X.X if isinstance(X, SubPool) else X
        self.positions: np.ndarray = in_pool(X, positions)
        self.readable: bool = readable or (isinstance(X, SubPool) and X.readable)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: slice | np.ndarray) -> Any:
        return take_rows(self.X, self.positions[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(take_rows(self.X, self.positions), dtype)


def in_pool(X: Any, positions: np.ndarray) -> np.ndarray:
    """Return where samples of X are in the pool that X may be a part of."""
    here: np.ndarray = X.positions[positions] if isinstance(X, SubPool) else positions
    return here
