"""What a greedy selection by Fisher information picked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skactive.selection import Picks


@dataclass(frozen=True, eq=False, repr=False)
class FisherPicks(Picks):
    """What a greedy selection by Fisher information picked, and what it removed again.

    Attributes
    ----------
    indices : ndarray of int64, of shape (n,)
        Positions into the factors' samples, in the order picked.
    gains : ndarray of float64, of shape (n,)
        By how much each pick lowered the objective when it was made.
    removed : ndarray of int64
        Positions of the samples that were picked and removed again, in the order removed.
    n_refreshes : int
        How often all gains were computed anew, not counting the first time.
    kept : float
        The share of the trace of I_T on the directions that `components` left; 1 without it.
    """

    removed: np.ndarray
    n_refreshes: int
    kept: float = 1.0
