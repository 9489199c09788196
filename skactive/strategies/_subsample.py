"""Subsample: a strategy on a random part of the pool."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._validation import check_count
from skactive.strategies.base._compositions import seeded
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


class Subsample(QueryStrategy):
    """Let a strategy choose from a random part of the pool.

    The cost and the memory of any strategy are then those of a pool of n, and the batch is more
    diverse, for the very best samples are often alike. The part is drawn uniformly, without
    replacement, and read from the pool in batches.

    Parameters
    ----------
    strategy : QueryStrategy
        What chooses; its parameters are `strategy__x` of the whole.
    n : int, default=10_000
        The size of the part; a pool of n or fewer is taken whole.
    random_state : int, RandomState, Generator or None, default=None
        Draws the part, and seeds the strategy in place of its own `random_state`; None draws
        afresh at each call, and leaves the strategy its own.

    Notes
    -----
    Utilities are NaN outside of the part.

    References
    ----------
    LPLgrad, arXiv 2411.15217, and Learning Loss, arXiv 1905.03677, which score a random
    10,000 of the pool.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, FisherMask, Subsample
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> Subsample(FisherMask(), n=200, random_state=0).select(clf, X[100:], 10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        "strategy": [QueryStrategy],
        "n": [Interval(Integral, 1, None, closed="left")],
    }

    _with_work: ClassVar[str | None] = "exact"

    def __init__(self, strategy: Any, *, n: int = 10_000, random_state: Any = None) -> None:
        self.strategy = strategy
        self.n = n
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        (member,), draw = seeded([self.strategy], self.random_state, self)
        pool = Pool.of(X_pool)
        if self.n >= len(pool):
            return member.select(
                estimator, pool, n_instances, X_labelled=X_labelled, y_labelled=y_labelled
            )
        check_count(
            "n_instances",
            self,
            n_instances,
            high=self.n,
            high_is="n, the size of the part",
            remedy="Ask for fewer, or raise n.",
        )
        part = pool.part(np.sort(draw.choice(len(pool), self.n, replace=False)))
        found = member.select(
            estimator,
            part,
            n_instances,
            X_labelled=X_labelled,
            y_labelled=y_labelled,
        )
        return found.within(pool, part)
