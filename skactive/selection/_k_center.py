"""The greedy k-center algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._rng import generator
from skactive._validation import check_count
from skactive.selection._picks import Picks
from skactive.selection._rows import Rows, as_centers, as_matrix, centered

_OWNER = "k_center_greedy"
# Number of the farthest samples that a round looks at, to begin with and at most.
_FEW, _MANY = 32, 256


def k_center_greedy(X: Any, n: int, *, centers: Any = None, random_state: Any = None) -> Picks:
    """Pick samples one by one, each the farthest from all centers so far.

    The greedy algorithm for min_S max_x min_{c ∈ S ∪ centers} ‖x − c‖; its radius is at most twice
    the smallest one. Equal distances go to the lower position.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    n : int
        Number of samples to pick.
    centers : array or tensor of shape (L, D) or None, default=None
        Centers that exist already, such as the labelled samples.
    random_state : int, RandomState, Generator or None, default=None
        Draws the first sample where there are no centers; unused otherwise.

    Returns
    -------
    Picks
        Distinct positions, and as `gains` each pick's distance to the nearest center before it;
        infinity where there was none.

    Raises
    ------
    InvalidParameterError
        If X or the centers are not finite rows of one length, or n is not from 1 to N.

    References
    ----------
    .. [1] Core-set, arXiv 1708.00489, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import k_center_greedy
    >>> X = np.array([[0.0], [1.0], [5.0], [9.0]])
    >>> picks = k_center_greedy(X, 2, centers=[[0.5]])
    >>> picks.indices, picks.gains
    (array([3, 2]), array([8.5, 4. ]))
    """
    values = as_matrix("X", X, _OWNER)
    n = check_count("n", _OWNER, n, high=len(values), high_is="the number of samples")
    mean = values.mean(0)
    rows = centered(values, mean)
    nearest = torch.full((len(rows),), torch.inf, dtype=values.dtype, device=values.device)
    picks: list[int] = []
    gains: list[float] = []
    if centers is not None:
        rows.lower(nearest, centered(as_centers(centers, values, _OWNER), mean))
    else:
        picks = [int(generator(random_state, _OWNER).integers(len(rows)))]
        gains = [np.inf]
        rows.lower(nearest, rows.take(np.array(picks)))
        nearest[picks] = -1.0
    size = _FEW
    while len(picks) < n:
        found, reached = _round(rows, nearest, min(size, n - len(picks) + _FEW), n - len(picks))
        picks += found
        gains += reached
        rows.lower(nearest, rows.take(np.array(found)))
        nearest[picks] = -1.0
        size = min(_MANY, max(_FEW, 2 * len(found)))
    return Picks(np.array(picks, dtype=np.int64), np.array(gains))


def _round(rows: Rows, nearest: Tensor, size: int, n: int) -> tuple[list[int], list[float]]:
    """Pick among the farthest few samples, for as long as the next is sure to be one of them.

    Distances only fall as centers are added. So a sample outside of the few stays below the
    farthest outside; the picks are those of picking one at a time.
    """
    top = nearest.topk(min(size + 1, len(rows)))
    farthest, bound = top.values.cpu().double().numpy(), float(top.values[-1])
    inside = np.sort(top.indices.cpu().numpy()[farthest > bound])
    if not len(inside):  # more samples share the largest distance than were looked at
        alike = (nearest == top.values[-1]).nonzero().flatten()
        if bound == 0.0:  # all that is left are copies of centers, and stay so
            copies = alike[:n].tolist()
            return copies, [0.0] * len(copies)
        return [int(alike[0])], [max(bound, 0.0) ** 0.5]
    few = rows.take(inside)
    between = few.squared_distances(few).cpu().double().numpy()
    left = nearest[torch.as_tensor(inside, device=nearest.device)].cpu().double().numpy()
    found: list[int] = []
    reached: list[float] = []
    while len(found) < n:
        best = int(left.argmax())
        if left[best] <= bound:
            break
        found.append(int(inside[best]))
        reached.append(float(left[best]) ** 0.5)
        left = np.minimum(left, between[best])
        left[best] = -1.0
    return found, reached
