"""How typical samples are: the closer their neighbours, the more."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import check_count
from skactive.selection._equal_rows import first_equal
from skactive.selection._rows import as_matrix, blocks, centered

_OWNER = "typicality"


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


def _of_counted(
    values: Annotated[Tensor, "N D"], copies: Annotated[Tensor, "N"], k: int
) -> Annotated[Tensor, "N"]:
    """Return the typicality of different rows, of each of which there are so many copies."""
    rows = centered(values)
    found = torch.zeros_like(values[:, 0])
    for block in blocks(len(rows), max(len(rows), (k + 1) * values.shape[1])):
        distances = rows.take(block).squared_distances(rows)
        itself = torch.arange(block.start, block.stop, device=values.device)[:, None]
        near = distances.topk(min(k + 1, len(rows)), dim=1, largest=False)
        there = copies[near.indices] - (near.indices == itself).long()
        earlier = there.cumsum(1) - there
        taken = torch.minimum(there, (k - earlier).clamp_min(0))
        found[block] = ((near.values.sqrt() * taken).sum(1) / k).reciprocal()
    return found
