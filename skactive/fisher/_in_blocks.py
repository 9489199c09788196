"""Greedy Fisher selection where the factors of all samples do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._rng import generator
from skactive._validation import Description, check_count, exact_share, invalid
from skactive.fisher._curvature import Curvature
from skactive.fisher._factors import FisherFactors
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._full import FullCurvature
from skactive.fisher._pick import pick
from skactive.fisher._positions import check_apart, check_at_least, check_weights, positions

_OWNER = "greedy_fisher_in_blocks"

# Number of samples that pass the first stage per sample picked in the end, if that many fit. What
# this costs in objective is in benchmarks/query.py.
_SURVIVORS = 4


def greedy_fisher_in_blocks(
    factors_of: Callable[[np.ndarray], FisherFactors],
    candidates: Any,
    n: int,
    *,
    labelled: Any = None,
    weights: Any = None,
    block_size: int | None = None,
    regularization: float = 1.0,
    oversample: float = 1.0,
    random_state: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> FisherPicks:
    """Do what `greedy_fisher` does, with the factors of at most `block_size` samples in memory.

    Where all candidates fit in one block, that is the selection of `greedy_fisher`. Otherwise it
    has two stages: the candidates are cut into blocks at random, and from each its share of 4n
    samples is picked, or of as many as fit in a block; then the batch is picked from these. I_T and
    I_L are those of all samples in both stages, so that the objective is the same, and only the
    samples that the first stage left out can be missed. Factors are computed twice, those of what
    the first stage picked three times.

    Parameters
    ----------
    factors_of : callable
        Takes positions, an ndarray of int64, and returns the `FisherFactors` of these samples, all
        on the same mask.
    candidates : array of int
        The positions to pick from.
    n : int
        The size of the batch.
    labelled : array of int or None, default=None
        The positions of the labelled samples; None is none.
    weights : array of float or None, default=None
        How much the sample at each position counts in I_T, at least 0, one for each position up to
        the last that counts; scaled to sum to 1. None is all candidates and labelled samples alike.
        Positions that are neither may count, as in a target of other samples.
    block_size : int or None, default=None
        Number of samples whose factors may be held at once, at least ⌈oversample · n⌉; None is all.
    regularization : float, default=1.0
        λ, above 0.
    oversample : float, default=1.0
        ⌈oversample · n⌉ are picked, and the least useful removed one by one.
    random_state : int, RandomState, Generator or None, default=None
        Cuts the candidates into blocks.
    progress : callable or None, default=None
        Called after each pick, with the number of picks made and the total.

    Returns
    -------
    FisherPicks
        Indices into the positions given, not into the blocks; the gains of the last stage.

    Raises
    ------
    InvalidParameterError
        If the blocks are smaller than the batch, or a parameter is out of range.

    Notes
    -----
    Measured on 6,400 samples, C = 10, k = 680, for batches of 100 (benchmarks/query.py): with 2 to
    8 blocks the objective ends 0 to 0.3 % above that of the selection in one stage, with 16 blocks
    1.3 %; a random batch ends 60 % above. Where a block has no room for 4n samples the loss is
    larger: a quarter, in the tests, with room for 2.2n.

    References
    ----------
    .. [1] B. Mirzasoleiman et al., "Distributed Submodular Maximization", arXiv 1411.0541, whose
       greedy selection from blocks, and then from their picks, this is. Its bounds are for
       submodular objectives and do not hold here.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skactive.fisher import greedy_fisher_in_blocks
    >>> from skactive.fisher._dense import DenseFactors
    >>> V = torch.tensor([[[1.0, 0.0]], [[3.0, 0.0]], [[0.0, 2.0]], [[0.0, 1.0]]])
    >>> def factors_of(positions):
    ...     return DenseFactors(V[positions])
    >>> greedy_fisher_in_blocks(factors_of, np.arange(4), 2, block_size=3, random_state=0).indices
    array([1, 2])
    """
    pool = np.sort(positions("candidates", candidates, _OWNER))
    labels = np.arange(0) if labelled is None else positions("labelled", labelled, _OWNER)
    check_apart(pool, labels, _OWNER)
    n = check_count("n", _OWNER, n, high=len(pool), high_is="the candidates")
    check_at_least("regularization", regularization, 0.0, _OWNER)
    check_at_least("oversample", oversample, 1.0, _OWNER)
    n_picks = min(len(pool), exact_share(oversample, n, up=True))
    size = _check_size(block_size, len(pool), n_picks)
    w = None if weights is None else check_weights(weights, _OWNER)
    task = _Task(factors_of, pool, labels, w, n, n_picks, size, float(regularization))
    if len(pool) <= size:
        return task.in_one(_counted(progress, n_picks))
    return task.in_two(
        generator(random_state, _OWNER), _counted(progress, task.n_survivors + n_picks)
    )


def _check_size(block_size: int | None, n_pool: int, n_picks: int) -> int:
    size = n_pool if block_size is None else check_count("block_size", _OWNER, block_size)
    if size < n_picks:
        raise invalid(
            "block_size",
            _OWNER,
            f"at least {n_picks}, the samples that are picked",
            block_size,
            "Ask for fewer samples, or make room for more.",
        )
    return size


def _counted(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None]:
    """Return what is to be called after each pick."""
    done = iter(range(1, total + 1))
    return lambda: None if progress is None else progress(next(done), total)


@dataclass(frozen=True)
class _Task:
    """What is to be picked, and how much may be held at once."""

    factors_of: Callable[[np.ndarray], FisherFactors]
    pool: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    n: int
    n_picks: int
    size: int
    regularization: float

    @property
    def n_survivors(self) -> int:
        """Number of samples that pass the first of two stages."""
        return min(self.size, len(self.pool), _SURVIVORS * self.n_picks)

    def in_one(self, after_pick: Callable[[], None]) -> FisherPicks:
        """Pick from all samples at once."""
        of_labels = self._of_labels()
        V = self.factors_of(self.pool)
        curvature = self._start([(self.pool, V)], of_labels)
        return self._batch(self.pool, V, curvature, after_pick)

    def in_two(self, draw: np.random.Generator, after_pick: Callable[[], None]) -> FisherPicks:
        """Pick some from random blocks, and the batch from these."""
        of_labels = self._of_labels()
        shuffled = draw.permutation(self.pool)
        n_blocks = -(-len(self.pool) // self.size)
        blocks = [np.sort(block) for block in np.array_split(shuffled, n_blocks)]
        curvature = self._start(((some, self.factors_of(some)) for some in blocks), of_labels)
        shares = np.diff(np.linspace(0, self.n_survivors, n_blocks + 1).round().astype(int))
        survivors = [
            block[_picked(self.factors_of(block), curvature.copy(), share, after_pick)]
            for block, share in zip(blocks, shares.tolist(), strict=True)
            if share
        ]
        pool = np.sort(np.concatenate(survivors))
        return self._batch(pool, self.factors_of(pool), curvature, after_pick)

    def _of_labels(self) -> Tensor | None:
        """Σ V(x)ᵀ V(x) over the labelled samples."""
        parts = ((self.factors_of(some), None) for some in _cut(self.labels, self.size))
        return _total(parts) if len(self.labels) else None

    def _start(
        self, blocks: Iterable[tuple[np.ndarray, FisherFactors]], of_labels: Tensor | None
    ) -> Curvature:
        """Begin with no pick, given all candidates, block by block, and their factors."""
        if self.weights is None:
            I_T = _total((V, None) for _, V in blocks)
            if of_labels is not None:
                I_T += of_labels
            I_T.div_(len(self.pool) + len(self.labels))
        else:
            I_T = _total(self._weighted(self.weights, blocks))
        return FullCurvature(I_T, of_labels, len(self.labels), self.n, self.regularization)

    def _weighted(
        self, w: np.ndarray, blocks: Iterable[tuple[np.ndarray, FisherFactors]]
    ) -> Iterator[tuple[FisherFactors, Tensor]]:
        """Give the factors and weights of the candidates, and then of what else counts."""
        for some, V in blocks:
            yield V, torch.from_numpy(np.where(some < len(w), w[np.minimum(some, len(w) - 1)], 0))
        others = np.setdiff1d(np.flatnonzero(w), self.pool)
        for some in _cut(others, self.size):
            yield self.factors_of(some), torch.from_numpy(w[some])

    def _batch(
        self,
        pool: np.ndarray,
        V: FisherFactors,
        curvature: Curvature,
        after_pick: Callable[[], None],
    ) -> FisherPicks:
        every = torch.arange(len(V), device=V.device)
        found = pick(V, every, curvature, self.n_picks, self.n, after_pick)
        return FisherPicks(pool[found.indices], found.gains, pool[found.removed], found.n_refreshes)


def _picked(
    V: FisherFactors, curvature: Curvature, n: int, after_pick: Callable[[], None]
) -> np.ndarray:
    every = torch.arange(len(V), device=V.device)
    return pick(V, every, curvature, n, n, after_pick).indices


def _cut(positions: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _total(blocks: Iterable[tuple[FisherFactors, Tensor | None]]) -> Tensor:
    """Σ w(x) V(x)ᵀ V(x) over the samples of some factors; no weights are 1 each."""
    total: Tensor | None = None
    for V, weights in blocks:
        gram = V.gram(weights)
        if not bool(torch.isfinite(gram).all()):
            raise invalid(
                "factors_of",
                _OWNER,
                "a function whose factors, and their squares, are finite",
                Description(repr(V)),
            )
        total = gram if total is None else total.add_(gram)
        del V, gram  # before the next ones are made
    assert total is not None
    return total
