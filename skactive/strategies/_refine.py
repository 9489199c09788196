"""Refine: what any of several strategies would choose, sifted again and again, then one of them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._validation import exact_share, invalid
from skactive.strategies.base._compositions import Composition, seeded
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


class Refine(Composition):
    """Sift the pool by several strategies, and let the last of them choose from what is left.

    No strategy is the best one for all data sets, networks and numbers of labels. Each time the
    pool is sifted, every member chooses batches, each from a random part of what is left, and what
    no member has chosen is dropped: so the pool shrinks to samples that some strategy has a use
    for. From these the last member chooses the batch.

    Parameters
    ----------
    strategies : list of QueryStrategy, or of (str, QueryStrategy)
        The members; all of them sift, and the last one chooses. Without names they have those of
        their classes, in lower case: the parameter `margin__batch_size` of the whole is that of a
        Margin in the list. With several of one class, these are `margin-1`, `margin-2`, ….
    n_sifts : int, default=5
        How often the pool is sifted; 0 leaves it to the last member.
    n_batches : int, default=100
        Number of batches per sifting, shared equally among the members, ⌊n_batches / members⌋ each;
        at least the number of members.
    part : int, default=5000
        How many samples of the pool a batch is chosen from in the first sifting; n at least.
    share : float, default=0.4
        Later on, the share of what is left that a batch is chosen from, above 0 and at most 1; n
        samples at least.
    max_left : int, default=10_000
        How many samples a sifting leaves at most, drawn from those that were chosen; n at least.
    random_state : int, RandomState, Generator or None, default=None
        Draws the parts, and seeds the members at each batch, in place of their own `random_state`;
        None draws afresh at each call, and leaves them theirs.

    Notes
    -----
    A query costs `n_sifts · n_batches` of the members' on parts of the pool, and one on what is
    left. With a large network that is much; the published setting is for features that are stored,
    of which `select(…, embeddings=…)` spares the strategies that read them the network. Utilities
    are NaN for what was dropped.

    References
    ----------
    REFINE, arXiv 2511.22344; its code has these numbers, the members random, margin, BADGE, BAIT,
    TypiClust, ALFA-Mix, DropQuery, MaxHerding and UHerding, and UHerding choose.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, CoreSet, Margin, Random, Refine
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = Refine([Random(), Margin(), CoreSet()], n_batches=6, part=500, random_state=0)
    >>> query.select(clf, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        "strategies": [list, tuple],
        "n_sifts": [Interval(Integral, 0, None, closed="left")],
        "n_batches": [Interval(Integral, 1, None, closed="left")],
        "part": [Interval(Integral, 1, None, closed="left")],
        "share": [Interval(Real, 0, 1, closed="right")],
        "max_left": [Interval(Integral, 1, None, closed="left")],
    }
    _entries_parameter: ClassVar[str] = "strategies"
    _must: ClassVar[str] = (
        "a list of one strategy or more, such as [Random(), Margin(), CoreSet()], or of pairs "
        "(name, strategy)"
    )

    def __init__(
        self,
        strategies: Sequence[Any],
        *,
        n_sifts: int = 5,
        n_batches: int = 100,
        part: int = 5000,
        share: float = 0.4,
        max_left: int = 10_000,
        random_state: Any = None,
    ) -> None:
        self.strategies = strategies
        self.n_sifts = n_sifts
        self.n_batches = n_batches
        self.part = part
        self.share = share
        self.max_left = max_left
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.n_batches < len(self.strategies):
            must = f"at least the number of strategies, {len(self.strategies)}"
            raise invalid("n_batches", self, must, self.n_batches)

    def _looking_at_all(self) -> None:
        """None of its members: they choose from parts."""

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        members = self._check()
        rounds = [one for one in members for _ in range(self.n_batches // len(members))]
        turns, draw = seeded([*rounds * self.n_sifts, members[-1]], self.random_state, self)
        pool = Pool.of(X_pool)
        left, size = np.arange(len(pool)), max(n_instances, self.part)

        def batch(member: QueryStrategy, some: np.ndarray) -> Selection:
            part = pool.part(some)
            found = member.select(
                estimator, part, n_instances, X_labelled=X_labelled, y_labelled=y_labelled
            )
            return found.within(pool, part)

        for start in range(0, len(turns) - 1, len(rounds)):
            kept = np.zeros(len(pool), dtype=bool)
            for member in turns[start : start + len(rounds)]:
                kept[batch(member, _drawn(left, size, draw)).indices] = True
            left = _drawn(np.flatnonzero(kept), max(n_instances, self.max_left), draw)
            size = max(n_instances, exact_share(self.share, len(left)))
        return batch(turns[-1], left)


def _drawn(positions: np.ndarray, n: int, draw: np.random.Generator) -> np.ndarray:
    """Return n of the positions, drawn and in their order, or all if there are no more."""
    if n >= len(positions):
        return positions
    return np.sort(draw.choice(positions, n, replace=False))
