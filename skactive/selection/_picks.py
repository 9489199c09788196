"""What the greedy selections return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# A repr with more positions than this leaves those in the middle out.
_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Picks:
    """Samples in the order picked, and what each was picked for.

    Stands for the array of its indices where an array of positions is wanted: `X[picks]` of an
    array, `X.iloc[picks]` of a data frame, `np.delete(X, picks, axis=0)`, `len(picks)`,
    `for i in picks`. What takes no array-like, such as a torch tensor, takes `picks.indices`. Two
    picks are equal if they are the same object; compare their indices.

    Attributes
    ----------
    indices : ndarray of int64, of shape (n,)
        Distinct positions.
    gains : ndarray of float64, of shape (n,)
        What each pick was worth when it was made; the function says what that is.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import k_center_greedy
    >>> X = np.array([[0.0], [1.0], [5.0], [9.0]])
    >>> picks = k_center_greedy(X, 2, centers=[[0.5]])
    >>> picks
    Picks([3, 2])
    >>> X[picks].ravel(), picks.gains
    (array([9., 5.]), array([8.5, 4. ]))
    """

    indices: np.ndarray
    gains: np.ndarray

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is None:  # which NumPy 1 does not allow, and never passes
            return np.asarray(self.indices, dtype=dtype)
        return np.array(self.indices, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices.tolist())

    def __repr__(self) -> str:
        shown = np.array2string(
            self.indices,
            threshold=_SHOWN,
            separator=", ",
            max_line_width=1000,
            formatter={"int": str},
        )
        return f"{type(self).__name__}({shown})"
