"""Removing the least useful of the samples picked."""

from __future__ import annotations

import numpy as np
import torch

from skactive.fisher._curvature import Curvature
from skactive.fisher._factors import FisherFactors
from skactive.fisher._forward import EQUAL_EXACT


def remove_least_useful(V: FisherFactors, curvature: Curvature, n: int) -> np.ndarray:
    """Remove samples while there are more than n; return which went, in order.

    Of equals the later is removed.

    Parameters
    ----------
    V : FisherFactors
        The factors of the samples picked, in float64.
    curvature : Curvature
        What they are worth together; it is moved on.
    n : int
        Number of samples to keep.

    Returns
    -------
    ndarray of int64
        Positions in V.
    """
    kept, removed = list(range(len(V))), []
    state = curvature.start(V) if len(V) > n else ()
    while len(kept) > n:
        losses, sound = curvature.gains(tuple(part[kept] for part in state), -1.0)
        losses = losses.clamp_min(0).masked_fill(~sound, torch.inf)  # what nothing else stands for
        margin = losses.min() + EQUAL_EXACT * losses.min().abs()
        worst = kept.pop(int(torch.nonzero(losses <= margin)[-1]))
        removed.append(worst)
        exact = curvature.exact(V.take(slice(worst, worst + 1)))
        curvature.update(V, state, curvature.change(exact.at(0), -1.0))
    return np.array(removed, dtype=np.int64)
