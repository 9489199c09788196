"""FALCUN: draws by uncertainty and by distance to what was drawn, both in probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skactive._rng import generator
from skactive._validation import check_count, invalid, is_number
from skactive.selection._picks import Picks
from skactive.selection._rows import as_matrix

_OWNER = "falcun"


def falcun(p: Any, n: int, *, gamma: float = 10.0, random_state: Any = None) -> Picks:
    """Draw samples one by one, each with probability proportional to a power of its relevance.

    The relevance is r = u + d̂, with u = 1 − (p₁ − p₂) of the two largest probabilities, and d̂ from
    0 to 1 the distance d to what was drawn: d is u at first, and after each draw the smaller of
    itself and ‖p − p'‖₁; it is scaled so that the samples that are left have 0 and 1 at the
    ends. The weights are r^gamma. Where all that is left is at distance 0, or of relevance 0, the
    draw is uniform.

    Parameters
    ----------
    p : array or tensor of shape (N, C)
        Probabilities of C ≥ 2 classes.
    n : int
        Number of samples to draw.
    gamma : float, default=10.0
        At least 0, which draws uniformly; the larger, the surer the most relevant are.
    random_state : int, RandomState, Generator or None, default=None
        Draws.

    Returns
    -------
    Picks
        Distinct positions, and as `gains` the relevances when they were drawn.

    Raises
    ------
    InvalidParameterError
        If p is not of finite rows of two numbers or more, or a number is out of range.

    References
    ----------
    .. [1] S. Gilhuber, A. Beer, Y. Ma and T. Seidl, FALCUN: a simple and efficient deep active
       learning strategy, ECML PKDD 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import falcun
    >>> p = np.array([[1.0, 0.0], [0.5, 0.5], [0.6, 0.4], [0.0, 1.0]])
    >>> falcun(p, 2, gamma=500.0, random_state=0)
    Picks([1, 2])
    """
    values = as_matrix("p", p, _OWNER).cpu().double()
    if values.shape[1] < 2:
        raise invalid("p", _OWNER, "an array or tensor of shape (N, C) with C ≥ 2", p)
    N = len(values)
    n = check_count("n", _OWNER, n, high=N, high_is="the number of samples")
    if not is_number(gamma) or not 0 <= gamma < np.inf:
        raise invalid("gamma", _OWNER, "a finite number of at least 0", gamma)
    draw = generator(random_state, _OWNER)
    best = values.topk(2, dim=1).values
    u = (1 - (best[:, 0] - best[:, 1])).clamp_min_(0).numpy()
    d, left = u.copy(), np.arange(N)
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(n):
        relevance = u[left] + _from_0_to_1(d[left])
        at = _drawn(relevance, gamma if d[left].any() else 0.0, draw)
        picks.append(int(left[at]))
        gains.append(float(relevance[at]))
        left = np.delete(left, at)
        away = torch.cdist(values, values[picks[-1:]], p=1)[:, 0]
        np.minimum(d, away.numpy(), out=d)
    return Picks(np.array(picks, dtype=np.int64), np.array(gains))


def _from_0_to_1(d: np.ndarray) -> np.ndarray:
    low, high = d.min(), d.max()
    return (d - low) / (high - low) if high > low else np.zeros_like(d)


def _drawn(relevance: np.ndarray, gamma: float, draw: np.random.Generator) -> int:
    """Return a position drawn with probability proportional to relevance^gamma."""
    top = relevance.max()
    share = relevance / top if top > 0 else np.ones_like(relevance)
    cumulative = (share**gamma).cumsum()
    below_total = np.nextafter(cumulative[-1], 0)
    at = min(draw.random() * cumulative[-1], below_total)
    return int(np.searchsorted(cumulative, at, side="right"))
