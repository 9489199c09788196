"""Picking a batch one by one, each the best by its gain in float64; and back to what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skactive.fisher._curvature import Change, Curvature, Exact
from skactive.fisher._factors import FisherFactors
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._scores import Scores

# Updated gains carry the rounding of the early, large ones. They are computed anew when the best
# has fallen to this part of what it was when they last were.
_REFRESH_BELOW = 0.1
# The best few of a step are rescored exactly before one is taken.
_RESCORED = 8
# Where updated and exact gains differ by more than this part of the best, and the short list
# might for that reason lack the best, all gains are computed anew; if they differ so even then,
# in float64 from there on.
_SMALL_ERROR, _SAFETY = 1e-5, 3.0
# What counts as equal, for the lower position to be taken: in the updated gains, and rescored.
_EQUAL_UPDATED = {torch.float32: 1e-5, torch.float64: 1e-10}
_EQUAL_EXACT = 1e-10


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
    forward, picks = _Forward(V, pool, curvature), []
    for _ in range(n_picks):
        picks.append(forward.step())
        if after_pick is not None:
            after_pick()
    indices, gains = np.array([i for i, _ in picks]), np.array([gain for _, gain in picks])
    chosen = V.take(torch.as_tensor(indices, device=V.device)).double()
    removed = _without_least_useful(chosen, curvature, n)
    kept = np.setdiff1d(np.arange(n_picks), removed)
    return FisherPicks(indices[kept], gains[kept], indices[removed], forward.n_refreshes)


@dataclass(frozen=True)
class _Best:
    """The best sample of a step: where it is, its exact gain, whether that can be trusted."""

    position: Tensor
    exact: Exact
    sure: bool

    @property
    def gain(self) -> float:
        return float(self.exact.gains)


class _Forward:
    """The picking.

    Parameters
    ----------
    V : FisherFactors of N samples
        The factors.
    pool : torch.Tensor of int64
        The positions that may be picked.
    curvature : Curvature
        Where to start; it is moved on.
    """

    def __init__(self, V: FisherFactors, pool: Tensor, curvature: Curvature) -> None:
        # Factors are copied for the candidates only where these are few.
        few = 2 * len(pool) < len(V)
        V, self._positions = (
            (V.take(pool), pool) if few else (V, torch.arange(len(V), device=V.device))
        )
        left = torch.zeros(len(V), dtype=torch.bool, device=V.device)
        left[slice(None) if few else pool] = True
        self._curvature = curvature
        self._scores = Scores(V, left, curvature)
        self._change: Change | None = None
        self._gain_at_refresh = 0.0

    @property
    def n_refreshes(self) -> int:
        """How often all gains were computed anew, not counting the first time."""
        return self._scores.n_refreshes

    def step(self) -> tuple[int, float]:
        """Pick one sample; return its position and its gain."""
        if self._change is not None:
            self._scores.update(self._change)
        best = self._sure_best()
        self._scores.left[best.position] = False
        self._change = self._curvature.change(best.exact, 1.0)
        return int(self._positions[best.position]), best.gain

    def _sure_best(self) -> _Best:
        """Return the best sample left, with all gains computed anew where they have to be."""
        scores, best = self._scores, self._best()
        fresh = scores.n_refreshes == 0 and self._change is None
        if not fresh and (not best.sure or best.gain < _REFRESH_BELOW * self._gain_at_refresh):
            scores.refresh()
            best, fresh = self._best(), True
        if not best.sure and scores.V.dtype != torch.float64:
            scores.double()
            best = self._best()
        if fresh:
            self._gain_at_refresh = best.gain
        return best

    def _best(self) -> _Best:
        """Return the best sample left, by exact gain."""
        left = self._scores.left
        gains = self._scores.gains.masked_fill(~left, -torch.inf)
        short = _first_largest(gains, _RESCORED, _EQUAL_UPDATED[gains.dtype])
        short = short[left[short]]  # where there are few samples it holds all of them
        values = gains[short]
        # Those clearly below the best need no rescoring: below by more than gains have erred.
        clear = values.max() - _SAFETY * self._scores.error
        close = values >= torch.minimum(clear, values.topk(min(2, len(values))).values[-1])
        best = self._rescored(short[close], values[close], values[~close])
        if not best.sure and not bool(close.all()):
            best = self._rescored(short, values, values[:0])
        return best

    def _rescored(self, index: Tensor, values: Tensor, others: Tensor) -> _Best:
        """Return the best of a few by exact gain, and whether the other samples are below it."""
        exact = self._scores.exact(index)
        winner = int(_first_largest(exact.gains, 1, _EQUAL_EXACT)[0])
        gain = float(exact.gains[winner])
        error = float((values - exact.gains).abs().max())
        known = self._scores.error
        if len(others):  # a short list cut shorter: these few may err less than others do
            error = self._scores.error = max(error, known)
        else:
            self._scores.error = error if known == np.inf else max(error, known)
        # The others' gains are below those given; are they, if they err as the rescored do?
        beyond = float(others.max() if len(others) else values.min()) + _SAFETY * error
        small = not len(others) and error <= _SMALL_ERROR * gain
        sure = self._scores.sound and (small or beyond <= gain)
        return _Best(index[winner], exact.at(winner), sure)


def _first_largest(values: Tensor, count: int, equal: float) -> Tensor:
    """Return where the largest values are, in order of position, equal ones by position."""
    if len(values) <= count:
        return torch.arange(len(values), device=values.device)
    last = values.topk(count).values[-1]
    margin = equal * last.abs()
    above = torch.nonzero(values > last + margin).flatten()
    level = torch.nonzero((values - last).abs() <= margin).flatten()
    return torch.cat([above, level[: count - len(above)]]).sort().values


def _without_least_useful(V: FisherFactors, curvature: Curvature, n: int) -> np.ndarray:
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
        margin = losses.min() + _EQUAL_EXACT * losses.min().abs()
        worst = kept.pop(int(torch.nonzero(losses <= margin)[-1]))
        removed.append(worst)
        exact = curvature.exact(V.take(slice(worst, worst + 1)))
        curvature.update(V, state, curvature.change(exact.at(0), -1.0))
    return np.array(removed, dtype=np.int64)
