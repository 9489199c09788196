"""Distances to the boundaries between classes, and the same share of a batch near each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import as_numbers, check_count, invalid
from skactive.selection._picks import Picks
from skactive.selection._rows import as_matrix
from skactive.selection._top import top_n

_OWNER = "boundary_distances"


def boundary_distances(logits: Any, weight: Any) -> Any:
    """Return how far samples are from the boundary of each class, in the last layer's inputs.

    The class c and the predicted class ŷ have equal logits z = W h + b on a hyperplane, whose
    distance from h is (z_ŷ − z_c) / ‖w_ŷ − w_c‖. For c = ŷ it is the distance to the nearest of
    these: the step that changes the prediction.

    Parameters
    ----------
    logits : array or tensor of shape (N, C)
        z; a tensor is worked on where it is. A constant per sample does not matter.
    weight : array or tensor of shape (C, D)
        W, one row per class.

    Returns
    -------
    ndarray or tensor of shape (N, C)
        Of the kind of `logits`. Infinity where two classes have the same w, for no step leads from
        the one to the other.

    Raises
    ------
    InvalidParameterError
        If they are not made of finite rows, C is 1, or `weight` does not have C of them.

    References
    ----------
    .. [1] BASE, arXiv 2111.12880.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import boundary_distances
    >>> boundary_distances(np.array([[5.0, 1.0, 0.0]]), np.array([[2.0], [0.0], [1.0]]))
    array([[2., 2., 5.]])
    """
    z, W = as_matrix("logits", logits, _OWNER), as_matrix("weight", weight, _OWNER)
    if z.shape[1] < 2 or len(W) != z.shape[1]:
        must = "an array or tensor of shape (C, D), a row for each of C ≥ 2 columns of logits"
        raise invalid("weight", _OWNER, must, weight)
    W = W.to(z.device, z.dtype)
    best = z.argmax(1, keepdim=True)
    # by differences, so that equal rows are at distance 0 exactly
    between = torch.cdist(W, W, compute_mode="donot_use_mm_for_euclid_dist")
    apart = between[best[:, 0]]
    found = (z.gather(1, best) - z) / apart
    found.masked_fill_(apart == 0, torch.inf)  # ŷ itself among them
    found.scatter_(1, best, found.amin(1, keepdim=True))
    return found if isinstance(logits, Tensor) else found.numpy()


def nearest_per_class(distances: Any, n: int, *, order: Any = None) -> Picks:
    """Pick the same number of samples near each class, one class after the other.

    Each of C classes takes ⌊n/C⌋ samples, the first n mod C of them one more: those of the
    smallest distance in its column that no earlier class has taken. So no class has too few.

    Parameters
    ----------
    distances : array-like of shape (N, C)
        Any numbers, infinity included; the smallest are taken.
    n : int
        Number of samples to pick.
    order : array-like of C ints or None, default=None
        The classes' columns, in the order in which they take their share; None is 0 to C − 1.

    Returns
    -------
    Picks
        Distinct positions, class by class, the nearest first, equally near ones by position; as
        `gains` the distances, with a minus sign.

    Raises
    ------
    InvalidParameterError
        If `distances` is no such array, n is not from 1 to N, or `order` is not of C columns.

    References
    ----------
    .. [1] BASE, arXiv 2111.12880.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import nearest_per_class
    >>> nearest_per_class(np.array([[0.1, 0.2], [0.5, 0.3], [0.4, 0.9]]), 3)
    Picks([0, 2, 1])
    """
    owner = "nearest_per_class"
    values = as_numbers(distances)
    if values is None or values.ndim != 2 or not values.size or bool(np.isnan(values).any()):
        raise invalid("distances", owner, "numbers in an array of shape (N, C)", distances)
    N, C = values.shape
    n = check_count("n", owner, n, high=N, high_is="the number of samples")
    columns = np.arange(C) if order is None else as_numbers(order)
    if columns is None or sorted(columns.ravel().tolist()) != list(range(C)):
        raise invalid("order", owner, f"None or the columns 0 to {C - 1}, each once", order)
    left = np.ones(N, dtype=bool)
    picks: list[int] = []
    gains: list[float] = []
    for place, c in enumerate(columns.tolist()):
        share = n // C + (place < n % C)
        if not share:
            break
        found = top_n(np.where(left, -values[:, c], np.nan), share)
        left[found] = False
        picks += found.tolist()
        gains += (-values[found, c]).tolist()
    return Picks(np.array(picks, dtype=np.int64), np.array(gains, dtype=np.float64))
