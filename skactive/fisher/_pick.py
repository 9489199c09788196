"""Picking a batch: forward, and back where more was picked than is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from skactive.fisher._backward import remove_least_useful
from skactive.fisher._curvature import Curvature
from skactive.fisher._factors import FisherFactors
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._forward import Forward


def pick(
    V: FisherFactors,
    pool: Tensor,
    curvature: Curvature,
    n_picks: int,
    n: int,
    after_pick: Callable[[], None] | None = None,
) -> FisherPicks:
    """Pick some samples by what is known of the others, and remove the least useful.

    Parameters
    ----------
    V : FisherFactors of shape (N, C, k)
        The factors of the samples to pick from.
    pool : torch.Tensor of int64
        The positions in V that may be picked.
    curvature : Curvature
        Where to start; it is moved on.
    n_picks, n : int
        Number of samples picked, and number kept.
    after_pick : callable or None, default=None
        Called after each pick.

    Returns
    -------
    FisherPicks
        What was picked, and what of it was removed.
    """
    forward, picks = Forward(V, pool, curvature), []
    for _ in range(n_picks):
        picks.append(forward.step())
        if after_pick is not None:
            after_pick()
    indices, gains = np.array([i for i, _ in picks]), np.array([gain for _, gain in picks])
    chosen = V.take(torch.as_tensor(indices, device=V.device)).double()
    removed = remove_least_useful(chosen, curvature, n)
    kept = np.setdiff1d(np.arange(n_picks), removed)
    return FisherPicks(indices[kept], gains[kept], indices[removed], forward.n_refreshes)
