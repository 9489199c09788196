"""PerClass: equal shares of a batch for the predicted classes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skactive._pool import Pool
from skactive.strategies.base._compositions import joined_values, seeded, values_of_picks
from skactive.strategies.base._probabilities import predicted_classes
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection


class PerClass(QueryStrategy):
    """Give each predicted class the same share of the batch, and let a strategy choose within it.

    The pool is parted by the predicted classes. The n labels go to them one by one, in turns, and a
    class of which no sample is left is passed over: shares are equal but for one, and what a class
    cannot fill goes to the others in equal shares. Classes that are predicted for the fewest
    samples have the first turns, and so what n leaves over, equal ones in their order. In each
    class the strategy chooses its share from the samples of that class alone; the picks are in the
    order of the turns. `PerClass(CoreSet())` covers each predicted class by itself.

    Parameters
    ----------
    strategy : QueryStrategy
        What chooses; its parameters are `strategy__x` of the whole.
    batch_size : int, default=256
        Samples per forward pass, for the predicted classes.
    device : str, torch.device or None, default=None
        Where to compute these; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy in each class, in place of its own `random_state`; None leaves it that.

    Notes
    -----
    The strategy is asked once per class, with all labelled samples: one that reads these reads them
    as often. The selection's `gains` are, pick by pick, the gain or else the utility that the
    strategy gave it within its class.

    References
    ----------
    J. Z. Bengar et al., Class-balanced active learning for image classification, arXiv 2110.04543,
    for batches that are balanced by what is predicted; there by an optimisation of the whole batch.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, CoreSet, PerClass
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> PerClass(CoreSet()).select(clf, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "strategy": [QueryStrategy],
    }

    _with_work: ClassVar[str | None] = "exact"

    def __init__(
        self,
        strategy: Any,
        *,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.strategy = strategy
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _looking_at_all(self) -> QueryStrategy | None:
        return self.strategy._looking_at_all()

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        pool = Pool.of(X_pool)
        predicted = predicted_classes(estimator, pool, self)
        sizes = np.bincount(predicted)
        shares = _shares(sizes, n_instances)
        members, _ = seeded([self.strategy] * len(shares), self.random_state, self)
        indices, gains, turns = [], [], []
        for c in _by_size(sizes):
            if not shares[c]:
                continue
            here = np.flatnonzero(predicted == c)
            found = members[c].select(
                estimator,
                pool.part(here),
                int(shares[c]),
                X_labelled=X_labelled,
                y_labelled=y_labelled,
            )
            indices.append(here[found.indices])
            gains.append(values_of_picks(found))
            turns.append(np.arange(shares[c]))
        order = np.argsort(np.concatenate(turns), kind="stable")
        worth = joined_values(gains)
        return Selection(
            np.concatenate(indices)[order], None, None if worth is None else worth[order]
        )


def _by_size(sizes: np.ndarray) -> np.ndarray:
    """Return the classes, those of the fewest samples first."""
    return np.argsort(sizes, kind="stable")


def _shares(sizes: np.ndarray, n: int) -> np.ndarray:
    """Deal n out in turns to classes of some sizes, the smallest first in each turn."""
    shares = np.zeros_like(sizes)
    while n:
        open_ = _by_size(sizes)
        open_ = open_[shares[open_] < sizes[open_]]
        # as many whole turns as no class ends in, or what is left of one
        turns = min(n // len(open_), int((sizes - shares)[open_].min()))
        if turns:
            shares[open_] += turns
            n -= turns * len(open_)
        else:
            shares[open_[:n]] += 1
            n = 0
    return shares
