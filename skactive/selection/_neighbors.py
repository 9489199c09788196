"""The nearest of other samples, or of the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import check_count
from skactive.selection._rows import as_centers, as_matrix, centered, tiles

_OWNER = "nearest_neighbors"


def nearest_neighbors(
    X: Any, centers: Any = None, *, n_neighbors: int = 1
) -> tuple[np.ndarray, np.ndarray] | tuple[Tensor, Tensor]:
    """Find the nearest centers of each sample, or the nearest other samples.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    centers : array or tensor of shape (L, D) or None, default=None
        What is looked for. None looks for other samples of X: none is its own neighbour.
    n_neighbors : int, default=1
        K; where there are fewer, all of them.

    Returns
    -------
    positions : ndarray or tensor of int64, of shape (N, K)
        Positions of the neighbours, the nearest first.
    distances : ndarray or tensor of shape (N, K)
        Their distances; 0 for equal rows.

    Raises
    ------
    InvalidParameterError
        If X or the centers are not finite rows of one length, or `n_neighbors` is below 1.

    Notes
    -----
    Distances are compared tile by tile, never all in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import nearest_neighbors
    >>> nearest_neighbors(np.array([[0.0], [4.0]]), np.array([[5.0], [1.0]]))
    (array([[1],
           [0]]), array([[1.],
           [1.]]))
    """
    values = as_matrix("X", X, _OWNER)
    mean = values.mean(0)
    rows = centered(values, mean)
    others = rows if centers is None else centered(as_centers(centers, values, _OWNER), mean)
    k = min(check_count("n_neighbors", _OWNER, n_neighbors), len(others) - (centers is None))
    device = values.device
    positions = torch.empty((len(rows), k), dtype=torch.int64, device=device)
    distances = values.new_empty((len(rows), k))
    for a in tiles(0, len(rows), device):
        few = rows.take(a)
        where, near = positions[a, :0], distances[a, :0]
        for b in tiles(0, len(others), device):
            found = few.distances_less_rounding(others.take(b))
            if centers is None and a == b:
                found.fill_diagonal_(torch.inf)
            at = torch.arange(b.start, b.stop, device=device).expand(len(few), -1)
            near, order = torch.cat([near, found], 1).sort(dim=1, stable=True)
            near, order = near[:, :k], order[:, :k]
            where = torch.cat([where, at], 1).gather(1, order)
        positions[a], distances[a] = where, near.sqrt()
    if isinstance(X, Tensor):
        return positions, distances
    return positions.numpy(), distances.numpy()
