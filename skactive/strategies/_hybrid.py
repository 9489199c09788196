"""Hybrid: a batch shared out among several strategies."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from skactive._pool import Pool
from skactive._validation import invalid
from skactive.strategies.base._compositions import (
    Composition,
    joined_values,
    seeded,
    values_of_picks,
)
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


class Hybrid(Composition):
    """Share a batch out among strategies: some samples by one, some by the next.

    The strategies choose one after the other, in the order of the list, each its share from what
    the earlier ones left of the pool. So no sample is chosen twice and each share is full: where
    two would choose the same sample, the earlier one has it, and the later one its next best. The
    later ones do not learn what the earlier ones chose, except that it is gone from the pool.

    `Hybrid([Entropy(), FisherMask()])` is FishEnt, the hybrid of the FisherMask authors' code: half
    the batch by entropy, half by FisherMask.

    Parameters
    ----------
    strategies : list of QueryStrategy, or of (str, QueryStrategy)
        The members. Without names they have those of their classes, in lower case: the parameter
        `entropy__batch_size` of the whole is that of an Entropy in the list. With several of one
        class, these are `entropy-1`, `entropy-2`, ….
    shares : list of float or None, default=None
        A number of at least 0 for each member; only their proportions matter. None is equal shares.
        Of a batch of n, a member has ⌊share · n⌋, and what is left goes to those with the largest
        remainders, the earlier one of equals.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the members, in place of their own `random_state`; None leaves them theirs.

    Notes
    -----
    The selection's `gains` are, pick by pick, the gain or else the utility that its own member gave
    it. They are on different scales. They are None if a member gives neither.

    References
    ----------
    FisherMask, arXiv 2411.05752, whose code has half entropy, half Fisher.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, Entropy, FisherMask, Hybrid
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = Hybrid([Entropy(), FisherMask()], random_state=0)
    >>> query.select(clf, X[100:400], n_instances=10).indices.shape
    (10,)
    >>> query.set_params(fishermask__n_samples=100).get_params()["fishermask__n_samples"]
    100
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        "strategies": [list, tuple],
        "shares": ["array-like", None],
    }
    _entries_parameter: ClassVar[str] = "strategies"
    _must: ClassVar[str] = (
        "a list of one strategy or more, such as [Entropy(), Margin()], or of pairs (name, "
        "strategy)"
    )

    def __init__(
        self,
        strategies: Sequence[Any],
        *,
        shares: Sequence[float] | None = None,
        random_state: Any = None,
    ) -> None:
        self.strategies = strategies
        self.shares = shares
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        self._counts(1)

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        members, _ = seeded(self._check(), self.random_state, self)
        pool = Pool.of(X_pool)
        left = np.arange(len(pool))
        indices, gains = [], []
        for member, count in zip(members, self._counts(n_instances), strict=True):
            if count == 0:
                continue
            part = pool if len(left) == len(pool) else pool.part(left)
            found = member.select(
                estimator, part, count, X_labelled=X_labelled, y_labelled=y_labelled
            )
            indices.append(left[found.indices])
            gains.append(values_of_picks(found))
            left = np.delete(left, found.indices)
        return Selection(np.concatenate(indices), None, joined_values(gains))

    def _counts(self, n: int) -> list[int]:
        """Return each member's part of a batch of n."""
        shares = [1] * len(self.strategies) if self.shares is None else list(self.shares)
        good = all(
            isinstance(share, Real) and not isinstance(share, bool) and 0 <= share < float("inf")
            for share in shares
        )
        if not good or len(shares) != len(self.strategies) or sum(shares) == 0:
            must = f"{len(self.strategies)} numbers of at least 0, one a strategy, not all 0"
            raise invalid("shares", self, must, self.shares)
        # as the decimals that were written: 0.29 · 100 is 29, and 28.999… in floating point
        exact = [Fraction(str(share)) for share in shares]
        parts = [share * n / sum(exact) for share in exact]
        counts = [int(part) for part in parts]
        by_remainder = sorted(range(len(parts)), key=lambda i: counts[i] - parts[i])
        for i in by_remainder[: n - sum(counts)]:
            counts[i] += 1
        return counts
