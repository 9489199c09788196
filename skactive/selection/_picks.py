"""What the greedy selections return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Picks:
    """Samples in the order picked, and what each was picked for.

    Attributes
    ----------
    indices : ndarray of int64, of shape (n,)
        Distinct positions.
    gains : ndarray of float64, of shape (n,)
        What each pick was worth when it was made; the function says what that is.
    """

    indices: np.ndarray
    gains: np.ndarray
