"""k-means++ seeding, by distances squared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from skactive._rng import generator
from skactive._validation import check_count, invalid
from skactive.selection._picks import Picks
from skactive.selection._rows import Rows, as_matrix, centered, squared_norms

_OWNER = "kmeans_plusplus"
# Number of samples that a round proposes, to begin with and at most.
_FEW, _MANY = 64, 256
# Below 2 to this power squares may lose digits, in single precision.
_SMALL_EXPONENT = -40


def kmeans_plusplus(X: Any, n: int, *, first: str = "random", random_state: Any = None) -> Picks:
    """Draw samples one by one, each with probability proportional to D².

    D(x) is the distance to the nearest sample drawn before. Where it is 0 for all, every sample
    being equal to one drawn, the rest is drawn uniformly. No sample is drawn twice.

    Parameters
    ----------
    X : array or tensor of shape (N, D), or pair of them
        The samples; tensors are worked on where they are. A pair (S, H), of shapes (N, C) and
        (N, D), stands for the N rows s ⊗ h of length C·D, which are never formed: their products
        are ⟨s, s'⟩⟨h, h'⟩.
    n : int
        Number of samples to draw.
    first : {"random", "largest"}, default="random"
        The first sample: uniform, or the one of the largest norm, as in BADGE's published code.
    random_state : int, RandomState, Generator or None, default=None
        Draws. The same seed gives the same samples.

    Returns
    -------
    Picks
        Distinct positions, and as `gains` the D² of each sample when it was drawn; infinity for
        the first.

    Raises
    ------
    InvalidParameterError
        If X is not made of finite rows, or a parameter is out of range.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007,
       section 2.2; BADGE, arXiv 1906.03671, algorithm 1, for its use on gradients s ⊗ h.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import kmeans_plusplus
    >>> X = np.array([[0.0, 1.0], [7.0, 1.0], [7.0, 1.0]])
    >>> picks = kmeans_plusplus(X, 3, first="largest", random_state=0)
    >>> picks.indices, picks.gains
    (array([1, 0, 2]), array([inf, 49.,  0.]))
    """
    rows, norms, unit = _as_rows(X)
    N = len(rows)
    n = check_count("n", _OWNER, n, high=N, high_is="the number of samples")
    if first not in ("random", "largest"):
        raise invalid("first", _OWNER, "'random' or 'largest'", first)
    draw = generator(random_state, _OWNER)
    start = int(norms.argmax()) if first == "largest" else int(draw.integers(N))
    picks, gains, size = [start], [np.inf], _FEW
    nearest = torch.full_like(rows.norms, torch.inf)
    found = picks
    while len(picks) < n:
        rows.lower(nearest, rows.take(np.array(found)))
        nearest[picks] = 0.0
        weights = nearest.cpu().double().numpy()
        if not weights.any():
            rest = np.setdiff1d(np.arange(N), picks)
            found = draw.choice(rest, n - len(picks), replace=False).tolist()
            reached = [0.0] * len(found)
        else:
            found, reached = _round(rows, weights, size, n - len(picks), draw)
        picks = picks + found
        gains = gains + reached
        size = min(_MANY, max(_FEW, 2 * len(found)))
    return Picks(np.array(picks, dtype=np.int64), np.array(gains) * unit**2)


def _round(
    rows: Rows, weights: np.ndarray, size: int, n: int, draw: np.random.Generator
) -> tuple[list[int], list[float]]:
    """Propose samples by their D² as the round began; keep each with probability D² now / then.

    As D² only falls while samples are added, this is exactly drawing by the current D²; the
    first proposal is always kept. Only proposals are compared with what the round added.
    """
    size = min(size, n + _FEW)
    cumulative = weights.cumsum()
    below_total = np.nextafter(cumulative[-1], 0)
    at = np.minimum(draw.random(size) * cumulative[-1], below_total)
    proposed = np.searchsorted(cumulative, at, side="right")
    different, which = np.unique(proposed, return_inverse=True)
    few = rows.take(different)
    between = few.squared_distances(few).fill_diagonal_(0).cpu().double().numpy()
    now = weights[different].copy()
    found: list[int] = []
    reached: list[float] = []
    for i, keep in zip(which.tolist(), draw.random(size), strict=True):
        if keep * weights[different[i]] < now[i]:
            found.append(int(different[i]))
            reached.append(float(now[i]))
            now = np.minimum(now, between[i])
            if len(found) == n:
                break
    return found, reached


def _as_rows(X: Any) -> tuple[Rows, torch.Tensor, float]:
    """Return the rows, less their mean where they are formed, their squared norms, and the unit."""
    if not isinstance(X, tuple):
        values, unit = _in_units(as_matrix("X", X, _OWNER))
        return centered(values), squared_norms(values), unit
    must = "an array (N, D), or a pair (S, H) of arrays (N, C) and (N, D) of one dtype and device"
    if len(X) != 2:
        raise invalid("X", _OWNER, must, f"a tuple of {len(X)}")
    S, H = as_matrix("X", X[0], _OWNER), as_matrix("X", X[1], _OWNER)
    if (len(S), S.dtype, S.device) != (len(H), H.dtype, H.device):
        raise invalid(
            "X",
            _OWNER,
            must,
            f"shapes {tuple(S.shape)} and {tuple(H.shape)}, dtypes {S.dtype} and {H.dtype}",
        )
    S, unit = _in_units(S)
    rows = Rows(H, S)
    if not bool(torch.isfinite(rows.norms).all()):
        raise invalid("X", _OWNER, "a pair whose outer products have finite norms", X[1])
    return rows, rows.norms, unit


def _in_units(X: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return numbers whose squares would be 0, all of them, in a smaller unit, a power of two.

    The residuals of a network that is very sure are such numbers.
    """
    exponent = math.frexp(float(X.abs().max()))[1]
    if exponent > _SMALL_EXPONENT:
        return X, 1.0
    exponent = max(exponent, -100)  # whose inverse single precision has
    return X * 2.0**-exponent, 2.0**exponent
