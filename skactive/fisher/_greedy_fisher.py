"""Greedy selection by Fisher information: BAIT's objective, by an exact low-rank update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._validation import check_count, exact_share, invalid
from skactive.fisher._dense import DenseFactors
from skactive.fisher._factors import FisherFactors
from skactive.fisher._information import Information, gains_of, scored_blocks
from skactive.selection import Picks

_OWNER = "greedy_fisher"

# Updated gains carry the rounding of the early, large ones. They are computed anew when the best
# has fallen to this part of what it was when they last were.
_REFRESH_BELOW = 0.1
# The best few of a step are rescored exactly before one is taken.
_RESCORED = 8
# Where updated and exact gains differ by more than this part of the best, and the short list
# might for that reason lack the best, all gains are computed anew; if they differ so even then,
# in float64 from there on.
_SMALL_ERROR, _SAFETY = 1e-5, 3.0
_EXACT_AT_ONCE = 64
# What counts as equal, for the lower position to be taken: in the updated gains, and rescored.
_EQUAL_UPDATED = {torch.float32: 1e-5, torch.float64: 1e-10}
_EQUAL_EXACT = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class FisherPicks(Picks):
    """What a greedy selection by Fisher information picked, and what it removed again.

    Attributes
    ----------
    indices : ndarray of int64, of shape (n,)
        Positions into the factors' samples, in the order picked.
    gains : ndarray of float64, of shape (n,)
        By how much each pick lowered the objective when it was made.
    removed : ndarray of int64
        Positions of the samples that were picked and removed again, in the order removed.
    n_refreshes : int
        How often all gains were computed anew, not counting the first time.
    """

    removed: np.ndarray
    n_refreshes: int


def greedy_fisher(
    factors: Any,
    n: int,
    *,
    candidates: Any = None,
    labelled: Any = None,
    regularization: float = 1.0,
    oversample: float = 1.0,
) -> FisherPicks:
    """Pick the samples that most reduce the expected error by Fisher information.

    Greedily minimises tr(M⁻¹ I_U) over batches S of n candidates, with

        M = λI + n_L/(n_L+n) I_L + n/(n_L+n) Σ_{x∈S} V(x)ᵀ V(x),

    I_L the mean Fisher information of the n_L labelled samples, and I_U that of candidates and
    labelled together. The gains are those of the published loop; a step costs O(N·C²·k) in place
    of O(N·C·k²). Gains are kept in the factors' precision, and the best few of each step computed
    in float64; where the two differ by too much, all are computed anew, and factors in float32
    that are too ill-scaled for that go on as float64, in twice the memory.

    Parameters
    ----------
    factors : FisherFactors, or array or tensor of shape (N, C, k)
        V, as `skactive.fisher.fisher_factors` returns it.
    n : int
        The size of the batch.
    candidates : array of int or None, default=None
        Positions of the samples to pick from; None is all that are not labelled.
    labelled : array of int or None, default=None
        Positions of the labelled samples; None is none, and the I_L term is absent.
    regularization : float, default=1.0
        λ, above 0.
    oversample : float, default=1.0
        ⌈oversample · n⌉ are picked, and the least useful removed one by one; 2 in BAIT's paper.

    Returns
    -------
    FisherPicks
        Positions into the factors' samples, and as `gains` by how much each pick lowered the
        objective; `removed` and `n_refreshes` as well. Equal gains go to the lower position.

    Raises
    ------
    InvalidParameterError
        If the factors are not finite floats of shape (N, C, k), or a parameter is out of range.

    References
    ----------
    .. [1] BAIT, arXiv 2106.09675, algorithm 1; FisherMask, arXiv 2411.05752.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.fisher import greedy_fisher
    >>> V = np.array([[[1.0, 0.0]], [[3.0, 0.0]], [[0.0, 2.0]]])
    >>> picks = greedy_fisher(V, 2)
    >>> picks.indices, picks.gains.round(3)
    (array([1, 2]), array([3.   , 1.067]))
    """
    V = _as_factors(factors)
    pool, labels = _check_positions(candidates, labelled, len(V), V.device)
    n = check_count("n", _OWNER, n, high=len(pool), high_is="the candidates")
    check_at_least("regularization", regularization, 0.0, _OWNER)
    check_at_least("oversample", oversample, 1.0, _OWNER)
    n_picks = min(len(pool), exact_share(oversample, n, up=True))
    I_U = _mean_information(V, pool, labels)
    of_labels = V.gram(_weights(V, labels)) if len(labels) else None
    information = Information(I_U, of_labels, len(labels), n, float(regularization))
    return pick(V, pool, information, n_picks, n)


def pick(
    V: FisherFactors,
    pool: Tensor,
    information: Information,
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
    information : Information
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
    forward, picks = _Forward(V, pool, information), []
    for _ in range(n_picks):
        picks.append(forward.step())
        if after_pick is not None:
            after_pick()
    indices, gains = np.array([i for i, _ in picks]), np.array([gain for _, gain in picks])
    chosen = V.take(torch.as_tensor(indices, device=V.device)).double()
    removed = _remove_least_useful(chosen, information, n)
    kept = np.setdiff1d(np.arange(n_picks), removed)
    return FisherPicks(indices[kept], gains[kept], indices[removed], forward.n_refreshes)


@dataclass(frozen=True)
class _Best:
    """The best sample of a step: where it is, its exact gain, whether that can be trusted."""

    position: Tensor
    gain: float
    sure: bool
    A: Tensor
    B: Tensor
    VW: Tensor
    VWI: Tensor


class _Forward:
    """The picking: A = V W Vᵀ and B = V W I_U W Vᵀ of all samples, kept up to date.

    B is kept as T with B = T + Tᵀ, beside A, so that one product updates both.
    """

    def __init__(self, V: FisherFactors, pool: Tensor, information: Information) -> None:
        # Factors are copied for the candidates only where these are few.
        few = 2 * len(pool) < len(V)
        self._V = V.take(pool) if few else V
        self._positions = pool if few else torch.arange(len(V), device=V.device)
        self._left = torch.zeros(len(self._V), dtype=torch.bool, device=V.device)
        self._left[slice(None) if few else pool] = True
        self._information = information
        self._change: Tensor | None = None
        self.n_refreshes = -1  # the first time is not counted
        self._gain_at_refresh = 0.0
        self._refresh()

    def step(self) -> tuple[int, float]:
        """Pick one sample; return its position and its gain."""
        if self._change is not None:
            self._update(self._change)
        best = self._best()
        fresh = self.n_refreshes == 0 and self._change is None
        if not fresh and (not best.sure or best.gain < _REFRESH_BELOW * self._gain_at_refresh):
            self._refresh()
            best = self._best()
            fresh = True
        if not best.sure and self._V.dtype != torch.float64:
            self._V = self._V.double()
            self._refresh()
            best = self._best()
        if fresh:
            self._gain_at_refresh = best.gain
        self._left[best.position] = False
        self._change = self._information.change(best.A, best.B, best.VW, best.VWI, 1.0)
        return int(self._positions[best.position]), best.gain

    def _refresh(self) -> None:
        self.n_refreshes += 1
        self._AT = torch.empty(0)  # so that the old one is gone before the new one is made
        self._AT = self._information.quadratics(self._V)
        self._AT[:, :, self._V.shape[1] :].div_(2)
        self._gains, self._sound = self._AT.new_empty(len(self._V)), True
        self._error = np.inf  # of updated gains; not known yet
        for block in scored_blocks(*self._V.shape[:2], self._V.device):
            self._score(block)

    def _update(self, change: Tensor) -> None:
        """A ← A − Y Yᵀ and T ← T + Y Y_Hᵀ, with [Y, Y_H] = V [U, H]."""
        C = self._V.shape[1]
        scaled = (self._information.scale * change).to(self._V.dtype)
        self._sound = True
        for block in scored_blocks(*self._V.shape[:2], self._V.device):
            Y = self._V.take(block).matmul(scaled)
            sides = Y.unflatten(2, (2, C)).permute(0, 3, 2, 1)  # (n, C, 2, C)
            # A copy in any case: with one row, `contiguous` would share the memory of Y.
            sides = sides.clone(memory_format=torch.contiguous_format)
            sides[:, :, 0].neg_()
            self._AT[block].baddbmm_(Y[:, :, :C], sides.flatten(2))
            self._score(block)

    def _score(self, block: slice) -> None:
        """Compute the gains of some samples from A and T; where rounding forbids it, exactly."""
        A, T = self._AT[block].split(self._V.shape[1], dim=2)
        gains, sound = gains_of(A, T)
        gains.mul_(2)
        bad = torch.nonzero(~sound & self._left[block]).flatten()
        if len(bad):
            self._sound = False
            for some in bad.split(_EXACT_AT_ONCE):
                exact = self._exact(some + block.start)[0].clamp(max=torch.finfo(gains.dtype).max)
                gains[some] = exact.to(gains.dtype)
        self._gains[block] = gains

    def _best(self) -> _Best:
        """Return the best sample left, by exact gain."""
        gains = self._gains.masked_fill(~self._left, -torch.inf)
        short = _first_largest(gains, _RESCORED, _EQUAL_UPDATED[gains.dtype])
        short = short[self._left[short]]  # where there are few samples it holds all of them
        values = gains[short]
        # Those clearly below the best need no rescoring: below by more than gains have erred.
        clear = values.max() - _SAFETY * self._error
        close = values >= torch.minimum(clear, values.topk(min(2, len(values))).values[-1])
        best = self._rescored(short[close], values[close], values[~close])
        if not best.sure and not bool(close.all()):
            best = self._rescored(short, values, values[:0])
        return best

    def _rescored(self, index: Tensor, values: Tensor, others: Tensor) -> _Best:
        """Return the best of a few by exact gain, and whether the other samples are below it."""
        exact, A, B, VW, VWI = self._exact(index)
        winner = int(_first_largest(exact, 1, _EQUAL_EXACT)[0])
        gain = float(exact[winner])
        error = float((values - exact).abs().max())
        if len(others):  # a short list cut shorter: these few may err less than others do
            self._error = error = max(error, self._error)
        else:
            self._error = error if self._error == np.inf else max(self._error, error)
        # The others' gains are below those given; are they, if they err as the rescored do?
        beyond = float(others.max() if len(others) else values.min()) + _SAFETY * error
        small = not len(others) and error <= _SMALL_ERROR * gain
        sure = self._sound and (small or beyond <= gain)
        return _Best(index[winner], gain, sure, A[winner], B[winner], VW[winner], VWI[winner])

    def _exact(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return gains, A, B, V W and V W I_U of a few samples, in float64."""
        V = self._V.take(index).double()
        VW, VWI = self._information.through(V)
        A, B = self._information.between(V, VW, VWI)
        return gains_of(A, B)[0], A, B, VW, VWI


def _first_largest(values: Tensor, count: int, equal: float) -> Tensor:
    """Return where the largest values are, in order of position, equal ones by position."""
    if len(values) <= count:
        return torch.arange(len(values), device=values.device)
    last = values.topk(count).values[-1]
    margin = equal * last.abs()
    above = torch.nonzero(values > last + margin).flatten()
    level = torch.nonzero((values - last).abs() <= margin).flatten()
    return torch.cat([above, level[: count - len(above)]]).sort().values


def _remove_least_useful(V: FisherFactors, information: Information, n: int) -> np.ndarray:
    """Remove samples while there are more than n; return which went, in order.

    Removing x raises the objective by tr[(I − A_x)⁻¹ B_x]. Of equals the later is removed.
    """
    kept, removed = list(range(len(V))), []
    if len(kept) > n:
        A, B = information.quadratics(V).split(V.shape[1], dim=2)
    while len(kept) > n:
        losses, sound = gains_of(-A[kept], B[kept])
        losses = losses.clamp_min(0).masked_fill(~sound, torch.inf)  # what nothing else stands for
        margin = losses.min() + _EQUAL_EXACT * losses.min().abs()
        worst = kept.pop(int(torch.nonzero(losses <= margin)[-1]))
        removed.append(worst)
        VW, VWI = information.through(V.take(slice(worst, worst + 1)))
        change = information.change(A[worst], B[worst], VW[0], VWI[0], -1.0)
        Y, Y_H = V.matmul(information.scale * change).split(V.shape[1], dim=2)
        A.baddbmm_(Y, Y.mT)
        B.baddbmm_(Y, Y_H.mT).baddbmm_(Y_H, Y.mT)
    return np.array(removed, dtype=np.int64)


def _as_factors(factors: Any) -> FisherFactors:
    if isinstance(factors, FisherFactors):
        return factors.in_own_order()
    values = as_tensor(factors)
    good = values.ndim == 3 and values.is_floating_point() and min(values.shape) > 0
    if not good or not bool(torch.isfinite(values).all()):
        must = "what fisher_factors returns, or finite floats of shape (N, C, k)"
        raise invalid("factors", _OWNER, must, factors)
    return DenseFactors(values)


def _mean_information(V: FisherFactors, pool: Tensor, labels: Tensor) -> Tensor:
    """I_U: over candidates and labelled samples together."""
    union = _weights(V, pool) + _weights(V, labels)
    I_U = V.gram(union / union.sum())
    if not bool(torch.isfinite(I_U).all()):
        raise invalid("factors", _OWNER, "finite, and their squares too", V)
    return I_U


def _weights(V: FisherFactors, positions: Tensor) -> Tensor:
    """1 at these samples, 0 at the others."""
    weights = torch.zeros(len(V), dtype=torch.float64, device=V.device)
    return weights.index_fill_(0, positions, 1.0)


def _check_positions(
    candidates: Any, labelled: Any, N: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    labels = np.arange(0) if labelled is None else positions("labelled", labelled, _OWNER, N)
    if candidates is None:
        pool = np.setdiff1d(np.arange(N), labels)
        if not len(pool):
            must = f"fewer than all {N} samples where candidates=None"
            raise invalid("labelled", _OWNER, must, labelled, "Nothing is left to pick.")
    else:
        pool = np.sort(positions("candidates", candidates, _OWNER, N))
        check_apart(pool, labels, _OWNER)
    return torch.as_tensor(pool, device=device), torch.as_tensor(labels, device=device)


def check_apart(pool: np.ndarray, labels: np.ndarray, owner: str) -> None:
    """Raise if a candidate is labelled."""
    both = np.intersect1d(pool, labels)
    if len(both):
        must = "positions of samples that are not labelled"
        remedy = f"Position {both[0]} is in both; remove it from one."
        raise invalid("candidates", owner, must, pool, remedy)


def positions(name: str, given: Any, owner: str, N: int | None = None) -> np.ndarray:
    """Return positions below N as int64, or raise."""
    array = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
    if array.size == 0 and name == "labelled":
        return np.arange(0)
    good = array.ndim == 1 and array.size > 0 and np.issubdtype(array.dtype, np.integer)
    low, high = (array.min(), array.max()) if good else (0, 0)
    beyond = low < 0 or (N is not None and high >= N)
    if not good or beyond or len(np.unique(array)) < len(array):
        must = "distinct int positions " + ("of 0 or more" if N is None else f"from 0 to {N - 1}")
        remedy = "Of a bool array, pass np.flatnonzero." if array.dtype == bool else ""
        raise invalid(name, owner, must, given, remedy)
    return array.astype(np.int64)


def check_at_least(name: str, value: Any, low: float, owner: str) -> None:
    """Raise unless a value is a finite number of at least `low`, and not 0."""
    real = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not real or value < low or value == 0:
        must = f"a finite number of at least {low:g}" if low else "a finite number above 0"
        raise invalid(name, owner, must, value)
