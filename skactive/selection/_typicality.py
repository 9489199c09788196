"""How typical samples are: the closer their neighbours, the more."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import check_count
from skactive.selection._equal_rows import first_equal
from skactive.selection._picks import Picks
from skactive.selection._rows import Rows, as_matrix, blocks, centered

_OWNER = "typicality"
# Distances that are computed in another block differ by their rounding: which samples had a pick
# among their neighbours is asked with as much room.
_WIDER = 1.01
# What counts as equally typical, for two that are each other's neighbours are.
_EQUAL = {torch.float32: 1e-5, torch.float64: 1e-10}


def typicality(X: Any, *, n_neighbors: int = 20) -> np.ndarray | Tensor:
    """Return the inverse of each sample's mean distance to its nearest neighbours.

    t(x) = (1/K Σ_{i ∈ K-NN(x)} ‖x − x_i‖)⁻¹, with x itself not among them, and K at most N − 1.
    Infinite where all K neighbours equal x; 0 for a sample that is alone.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    n_neighbors : int, default=20
        K.

    Returns
    -------
    ndarray or tensor of shape (N,)
        Of the kind of X. Distances are compared block by block, never all in memory.

    Raises
    ------
    InvalidParameterError
        If X is not made of finite rows, or `n_neighbors` is below 1.

    References
    ----------
    .. [1] TypiClust, arXiv 2202.02794.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import typicality
    >>> typicality(np.array([[0.0], [1.0], [5.0]]), n_neighbors=1)
    array([1.  , 1.  , 0.25])
    """
    values = as_matrix("X", X, _OWNER)
    k = min(check_count("n_neighbors", _OWNER, n_neighbors), len(values) - 1)
    found = torch.zeros_like(values[:, 0])
    different, which, copies = first_equal(values).unique(return_inverse=True, return_counts=True)
    if k and len(different) < len(values):
        found = _of_counted(values[different], copies, k)[which]
    elif k:
        rows = centered(values)
        for block in blocks(len(rows), max(len(rows), k * values.shape[1])):
            distances = rows.take(block).squared_distances(rows)
            itself = torch.arange(block.start, block.stop, device=values.device)
            distances.scatter_(1, itself[:, None], torch.inf)
            near = distances.topk(k, dim=1, largest=False).values
            found[block] = near.sqrt_().mean(1).reciprocal_()
    return found if isinstance(X, Tensor) else found.numpy()


def most_typical(X: Any, n: int, *, n_neighbors: int = 20) -> Picks:
    """Pick samples one by one, each the most typical of those that are left.

    As neighbours count those that are left, K or, where these are few, half of them.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    n : int
        Number of samples to pick.
    n_neighbors : int, default=20
        K.

    Returns
    -------
    Picks
        Distinct positions, equally typical ones, but for rounding, by position; as `gains` how
        typical each was when it was picked.

    Raises
    ------
    InvalidParameterError
        If X is not made of finite rows, or a number is out of range.

    Notes
    -----
    After a pick only the samples that had it among their neighbours are compared anew, as long as
    K stays.

    References
    ----------
    .. [1] TypiClust, arXiv 2202.02794.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import most_typical
    >>> most_typical(np.array([[0.0], [0.1], [0.3], [5.0]]), 2, n_neighbors=2).indices
    array([1, 0])
    """
    owner = "most_typical"
    values = as_matrix("X", X, owner)
    n = check_count("n", owner, n, high=len(values), high_is="the number of samples")
    check_count("n_neighbors", owner, n_neighbors)
    first = first_equal(values).cpu().numpy()
    order = np.argsort(first, kind="stable")  # copies beside each other, each group by position
    different, starts = np.unique(first[order], return_index=True)
    rows = centered(values[torch.as_tensor(different, device=values.device)])
    copies = torch.as_tensor(np.diff(starts, append=len(first)), device=values.device)
    everything = torch.arange(len(rows), device=values.device)
    typical, beyond = torch.zeros_like(rows.norms), torch.zeros_like(rows.norms)
    counted, last = -1, -1
    picks: list[int] = []
    gains: list[float] = []
    for left in range(len(values), len(values) - n, -1):
        k = min(n_neighbors, max(1, left // 2), left - 1)
        stale = everything
        if k == counted:
            away = rows.squared_distances(rows.take(slice(last, last + 1)))[:, 0]
            stale = torch.nonzero((away <= beyond * _WIDER) & (copies > 0)).flatten()
        if k:
            typical[stale], beyond[stale] = _of_some(rows, copies, stale, k)
        counted = k
        there = torch.where(copies > 0, typical, -1.0)
        equal = torch.nonzero(there >= there.max() * (1 - _EQUAL[there.dtype])).flatten().tolist()
        last = min(equal, key=lambda at: order[starts[at]])
        picks.append(int(order[starts[last]]))
        gains.append(float(typical[last]) if k else 0.0)
        starts[last] += 1
        copies[last] -= 1
    return Picks(np.array(picks, dtype=np.int64), np.array(gains))


def _of_counted(
    values: Annotated[Tensor, "N D"], copies: Annotated[Tensor, "N"], k: int
) -> Annotated[Tensor, "N"]:
    """Return the typicality of different rows, of each of which there are so many copies."""
    everything = torch.arange(len(values), device=values.device)
    return _of_some(centered(values), copies, everything, k)[0]


def _of_some(rows: Rows, copies: Tensor, some: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the typicality of some rows, and the squared distance of their last neighbour.

    Parameters
    ----------
    rows : Rows
        Different rows.
    copies : torch.Tensor of int64, of shape (N,)
        Of each of them there are so many, k + 1 or more in all; 0 for those that do not count.
    some : torch.Tensor of int64, of shape (n,)
        Which are wanted; those that count.
    k : int
        K, at least 1.
    """
    typical, beyond = torch.zeros_like(rows.norms[some]), torch.zeros_like(rows.norms[some])
    gone = copies == 0
    for block in blocks(len(some), max(len(rows), (k + 1) * rows.right.shape[1])):
        distances = rows.take(some[block]).squared_distances(rows)
        distances[:, gone] = torch.inf
        near = distances.topk(min(k + 1, len(rows)), dim=1, largest=False)
        there = copies[near.indices] - (near.indices == some[block][:, None]).long()
        earlier = there.cumsum(1) - there
        taken = torch.minimum(there, (k - earlier).clamp_min(0))
        counts = torch.where(taken > 0, near.values, 0)  # and not infinity times 0
        typical[block] = ((counts.sqrt() * taken).sum(1) / k).reciprocal()
        beyond[block] = counts.amax(1)
    return typical, beyond
