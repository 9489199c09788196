"""The picking from positions whose factors are computed when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from skactive._validation import Description, invalid
from skactive.fisher._components import (
    on_directions,
    share_kept,
    top_directions,
    weighted_trace,
)
from skactive.fisher._curvature import Curvature
from skactive.fisher._dense import DenseFactors
from skactive.fisher._factors import FisherFactors, Information
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._forms import check_whole, curvature_of, regularization_of, trace_of
from skactive.fisher._full import FullCurvature
from skactive.fisher._pick import pick

# Number of samples that pass the first stage per sample picked in the end, if that many fit. What
# this costs in objective is in benchmarks/query.py.
_SURVIVORS = 4


@dataclass(frozen=True)
class Task:
    """What is to be picked, and how much may be held at once."""

    factors_of: Callable[[np.ndarray], FisherFactors]
    pool: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    n: int
    n_picks: int
    size: int
    regularization: float | None  # None is "auto"

    @property
    def n_survivors(self) -> int:
        """Number of samples that pass the first of two stages."""
        return min(self.size, len(self.pool), _SURVIVORS * self.n_picks)

    def in_one(self, after_pick: Callable[[], None] | None) -> FisherPicks:
        """Pick from all samples at once."""
        of_labels = self._of_labels()
        V = self.factors_of(self.pool)
        curvature = self._start([(self.pool, V)], of_labels)
        return self._batch(self.pool, V, curvature, after_pick)

    def in_two(
        self, draw: np.random.Generator, after_pick: Callable[[], None] | None
    ) -> FisherPicks:
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

    def on_components(
        self, m: int, draw: np.random.Generator, after_pick: Callable[[], None] | None
    ) -> FisherPicks:
        """Pick from all samples at once, by their factors on the top m directions."""
        groups = [some for some in (self.pool, self.labels, self._others()) if len(some)]
        counted = np.concatenate([some[self._weights_of(some).numpy() > 0] for some in groups])
        parts: Iterable[tuple[np.ndarray, FisherFactors]]
        if sum(map(len, groups)) <= self.size:
            parts = held = [(some, self.factors_of(some)) for some in groups]
            U = self._directions(held, m)
        else:
            drawn = draw.choice(counted, min(self.size, len(counted)), replace=False)
            of_each = (np.intersect1d(some, drawn) for some in groups)
            U = self._directions([(a, self.factors_of(a)) for a in of_each if len(a)], m)
            parts = ((a, self.factors_of(a)) for some in groups for a in _cut(some, self.size))
        return self._on_directions(parts, U, after_pick)

    def _directions(self, parts: Sequence[tuple[np.ndarray, FisherFactors]], m: int) -> Tensor:
        weighted = [(V, self._weights_of(some)) for some, V in parts]
        for V, w in weighted:
            check_whole(V, "components", "greedy_fisher_in_blocks")
            _check_finite(V, weighted_trace(V, w))
        return top_directions(weighted, m)

    def _on_directions(
        self,
        parts: Iterable[tuple[np.ndarray, FisherFactors]],
        U: Tensor,
        after_pick: Callable[[], None] | None,
    ) -> FisherPicks:
        whole = U.new_zeros(())
        I_T, of_labels = U.new_zeros(2, U.shape[1], U.shape[1])
        kept = []
        for some, V in parts:
            w = self._weights_of(some)
            trace = weighted_trace(V, w)
            _check_finite(V, trace)
            whole += trace
            narrow = on_directions(V, U)
            I_T += narrow.gram(w)
            if np.isin(some[0], self.labels):
                of_labels += narrow.gram()
            elif np.isin(some[0], self.pool):
                kept.append(narrow.values)
        n_L, labelled = len(self.labels), of_labels if len(self.labels) else None
        regularization = regularization_of(self.regularization, whole, U.shape[0])
        curvature = FullCurvature(I_T, labelled, n_L, self.n, regularization)
        picks = self._batch(self.pool, DenseFactors(torch.cat(kept)), curvature, after_pick)
        return replace(picks, kept=share_kept(I_T.trace(), whole))

    def _weights_of(self, some: np.ndarray) -> Tensor:
        """How much each of these samples counts in I_T."""
        if self.weights is None:
            n = len(self.pool) + len(self.labels)
            return torch.full((len(some),), 1 / n, dtype=torch.float64)
        return torch.from_numpy(_weights_at(self.weights, some))

    def _others(self) -> np.ndarray:
        """Which samples count that are no candidates, and not labelled."""
        if self.weights is None:
            return np.arange(0)
        return np.setdiff1d(np.flatnonzero(self.weights), [*self.pool, *self.labels])

    def _of_labels(self) -> Information | None:
        """Σ V(x)ᵀ V(x) over the labelled samples."""
        parts = ((self.factors_of(some), None) for some in _cut(self.labels, self.size))
        return _total(parts)[0] if len(self.labels) else None

    def _start(
        self, blocks: Iterable[tuple[np.ndarray, FisherFactors]], of_labels: Information | None
    ) -> Curvature:
        """Begin with no pick, given all candidates, block by block, and their factors."""
        if self.weights is None:
            I_T, like = _total((V, None) for _, V in blocks)
            if of_labels is not None:
                _add(I_T, of_labels)
            for one in I_T:
                one.div_(len(self.pool) + len(self.labels))
        else:
            I_T, like = _total(self._weighted(self.weights, blocks))
        regularization = regularization_of(self.regularization, trace_of(I_T), like.shape[2])
        return curvature_of(like)(I_T, of_labels, len(self.labels), self.n, regularization)

    def _weighted(
        self, w: np.ndarray, blocks: Iterable[tuple[np.ndarray, FisherFactors]]
    ) -> Iterator[tuple[FisherFactors, Tensor]]:
        """Give the factors and weights of the candidates, and then of what else counts."""
        for some, V in blocks:
            yield V, torch.from_numpy(_weights_at(w, some))
        others = np.setdiff1d(np.flatnonzero(w), self.pool)
        for some in _cut(others, self.size):
            yield self.factors_of(some), torch.from_numpy(w[some])

    def _batch(
        self,
        pool: np.ndarray,
        V: FisherFactors,
        curvature: Curvature,
        after_pick: Callable[[], None] | None,
    ) -> FisherPicks:
        every = torch.arange(len(V), device=V.device)
        found = pick(V, every, curvature, self.n_picks, self.n, after_pick)
        return FisherPicks(pool[found.indices], found.gains, pool[found.removed], found.n_refreshes)


def _picked(
    V: FisherFactors, curvature: Curvature, n: int, after_pick: Callable[[], None] | None
) -> np.ndarray:
    every = torch.arange(len(V), device=V.device)
    return pick(V, every, curvature, n, n, after_pick).indices


def _cut(positions: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _weights_at(w: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weights at positions, 0 beyond the last that is given."""
    return np.where(positions < len(w), w[np.minimum(positions, len(w) - 1)], 0.0)


def _check_finite(V: FisherFactors, *information: Tensor) -> None:
    if not all(bool(torch.isfinite(one).all()) for one in information):
        raise invalid(
            "factors_of",
            "greedy_fisher_in_blocks",
            "a function whose factors, and their squares, are finite",
            Description(repr(V)),
        )


def _total(
    blocks: Iterable[tuple[FisherFactors, Tensor | None]],
) -> tuple[Information, FisherFactors]:
    """Σ w(x) V(x)ᵀ V(x) over the samples of some factors, and one of them; no weights are 1."""
    total: Information | None = None
    for V, weights in blocks:
        some = V.information(weights)
        _check_finite(V, *some)
        total = some if total is None else _add(total, some)
        like = V.take(slice(0, 1))
        del V, some  # before the next ones are made
    assert total is not None
    return total, like


def _add(total: Information, some: Information) -> Information:
    """Add to each part, in place."""
    return tuple(one.add_(other) for one, other in zip(total, some, strict=True))
