"""Strategies that value samples one by one, on a random subset of the pool."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._rng import seed_sequence
from skactive._validation import check_count
from skactive.strategies.base._by_blocks import by_blocks
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._ranking import highest


class SubsetStrategy(QueryStrategy):
    """Base class of the strategies that score a random subset, and take the highest scores.

    A subclass implements `_score`.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "subset": [Interval(Integral, 1, None, closed="left"), None],
    }

    _with_work: ClassVar[str | None] = "exact"
    subset: int | None
    batch_size: int

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        pool = Pool.of(X_pool)
        draw, ties = (
            np.random.default_rng(s) for s in seed_sequence(self.random_state, self).spawn(2)
        )
        candidates = subset_positions(self, len(pool), n_instances, draw)
        utilities = np.full(len(pool), np.nan)
        utilities[candidates] = by_blocks(
            partial(self._score, estimator), pool.part(candidates), self.batch_size, self
        )
        return highest(utilities, n_instances, ties)

    @abstractmethod
    def _score(self, estimator: Any, pool: Pool) -> np.ndarray:
        """Return the utilities of samples, (n,)."""


def subset_positions(
    strategy: Any, n_pool: int, n_instances: int, draw: np.random.Generator
) -> np.ndarray:
    """Return the positions of a strategy's `subset`, increasing, or raise if it is too small."""
    positions = some_positions(n_pool, strategy.subset, draw)
    check_count(
        "n_instances",
        strategy,
        n_instances,
        high=len(positions),
        high_is="the size of subset",
        remedy="Ask for fewer, or raise subset.",
    )
    return positions


def some_positions(n: int, count: int | None, draw: np.random.Generator) -> np.ndarray:
    """Return increasing positions below n: `count` of them at random, or all."""
    if count is None or count >= n:
        return np.arange(n)
    return np.sort(draw.choice(n, count, replace=False))
