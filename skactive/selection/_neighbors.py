"""The nearest of other samples, or of the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import check_count
from skactive.selection._rows import Rows, as_centers, as_matrix, centered, tiles

_OWNER = "nearest_neighbors"
# How many more than are asked for are found by distances that round, and compared without.
_SPARE = 8


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
        Positions of the neighbours, the nearest first, equally near ones by position.
    distances : ndarray or tensor of shape (N, K)
        Their distances; 0 for equal rows.

    Raises
    ------
    InvalidParameterError
        If X or the centers are not finite rows of one length, or `n_neighbors` is below 1.

    Notes
    -----
    Distances are compared tile by tile, never all in memory, by products that round: by 16 ε of
    the squared norms of rows less their mean, ε being 1e-7 in single precision. So K + 8 neighbours
    are found, and of these the nearest by the differences of the rows. Where more than 8 others are
    as near as that, one of them may be returned in place of one that is nearer.

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
    known = values if centers is None else as_centers(centers, values, _OWNER)
    mean = values.mean(0)
    rows = centered(values, mean)
    others = rows if centers is None else centered(known, mean)
    # whose differences, unlike those of rows less their mean, are exact but for the last digit
    given, known_rows = Rows(values, norms=rows.norms), Rows(known, norms=others.norms)
    k = min(check_count("n_neighbors", _OWNER, n_neighbors), len(others) - (centers is None))
    device = values.device
    few_more = min(k + _SPARE, len(others) - (centers is None))
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
            near, order = near[:, :few_more], order[:, :few_more]
            where = torch.cat([where, at], 1).gather(1, order)
        where = where.sort(1).values
        near, order = given.take(a).squared_differences(known_rows, where).sort(dim=1, stable=True)
        positions[a], distances[a] = where.gather(1, order[:, :k]), near[:, :k].sqrt()
    if isinstance(X, Tensor):
        return positions, distances
    return positions.numpy(), distances.numpy()
