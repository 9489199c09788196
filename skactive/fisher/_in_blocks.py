"""Greedy Fisher selection where the factors of all samples do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._rng import generator
from skactive._validation import Description, check_count, exact_share, invalid
from skactive.fisher._factors import FisherFactors
from skactive.fisher._greedy_fisher import FisherPicks, check_apart, check_at_least, pick, positions
from skactive.fisher._information import Information

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
    block_size: int | None = None,
    regularization: float = 1.0,
    oversample: float = 1.0,
    random_state: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> FisherPicks:
    """Do what `greedy_fisher` does, with the factors of at most `block_size` samples in memory.

    Where all candidates fit in one block, that is the selection of `greedy_fisher`. Otherwise it
    has two stages: the candidates are cut into blocks at random, and from each its share of 4n
    samples is picked, or of as many as fit in a block; then the batch is picked from these. I_U and
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
    size = len(pool) if block_size is None else check_count("block_size", _OWNER, block_size)
    if size < min(n_picks, len(pool)):
        raise invalid(
            "block_size",
            _OWNER,
            f"at least {n_picks}, the samples that are picked",
            block_size,
            "Ask for fewer samples, or make room for more.",
        )
    n_blocks = -(-len(pool) // size)
    n_survivors = min(size, len(pool), _SURVIVORS * n_picks)
    n_steps = n_picks if n_blocks == 1 else n_survivors + n_picks
    steps = iter(range(1, n_steps + 1))

    def after_pick() -> None:
        if progress is not None:
            progress(next(steps), n_steps)

    of_labels = _total(factors_of(some) for some in _cut(labels, size)) if len(labels) else None

    def start(factors: Iterable[FisherFactors]) -> Information:
        of_all = _total(factors)
        if of_labels is not None:
            of_all += of_labels
        I_U = of_all.div_(len(pool) + len(labels))
        return Information(I_U, of_labels, len(labels), n, float(regularization))

    if n_blocks == 1:
        V = factors_of(pool)
        information = start([V])
    else:
        shuffled = generator(random_state, _OWNER).permutation(pool)
        blocks = [np.sort(block) for block in np.array_split(shuffled, n_blocks)]
        information = start(factors_of(block) for block in blocks)
        shares = np.diff(np.linspace(0, n_survivors, n_blocks + 1).round().astype(int))
        survivors = [
            block[_picked(factors_of(block), information.copy(), share, after_pick)]
            for block, share in zip(blocks, shares.tolist(), strict=True)
            if share
        ]
        pool = np.sort(np.concatenate(survivors))
        V = factors_of(pool)
    found = pick(V, torch.arange(len(V), device=V.device), information, n_picks, n, after_pick)
    return FisherPicks(pool[found.indices], found.gains, pool[found.removed], found.n_refreshes)


def _picked(
    V: FisherFactors, information: Information, n: int, after_pick: Callable[[], None]
) -> np.ndarray:
    every = torch.arange(len(V), device=V.device)
    return pick(V, every, information, n, n, after_pick).indices


def _cut(positions: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _total(blocks: Iterable[FisherFactors]) -> Tensor:
    """Σ V(x)ᵀ V(x) over the samples of some factors."""
    total: Tensor | None = None
    for V in blocks:
        gram = V.gram()
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
