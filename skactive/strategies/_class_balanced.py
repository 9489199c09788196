"""ClassBalanced: the utilities of a strategy, weighted for pools with rare classes."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._validation import invalid
from skactive.strategies.base._compositions import seeded
from skactive.strategies.base._probabilities import predicted_classes
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._ranking import highest


class ClassBalanced(QueryStrategy):
    """Weight a strategy's utilities so that rare classes count as much as frequent ones.

    With u(x) ≥ 0 the strategy's utility of a sample, ŷ(x) the class predicted for it, and f_c the
    share of the pool that is predicted to be of class c, the batch S maximises

        Σ_{x∈S} u(x) / f_{ŷ(x)}^strength

    over all batches of its size: these are the samples of highest weighted utility. At strength 1
    every predicted class has the same weight in total over the pool, 1/f_c for each of its N·f_c
    samples; at 0 the batch is the strategy's own. The batch itself need not be balanced: a rare
    class whose samples have no utility is not chosen.

    Parameters
    ----------
    strategy : QueryStrategy
        One that gives each sample a utility of at least 0; its parameters are `strategy__x` of the
        whole.
    strength : float, default=1.0
        At least 0.
    batch_size : int, default=256
        Samples per forward pass, for the predicted classes.
    device : str, torch.device or None, default=None
        Where to compute these; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy in place of its own `random_state`, and breaks exact ties; None leaves
        the strategy its own, and breaks ties afresh at each call.

    References
    ----------
    J. Byrd and Z. Lipton, What is the effect of importance weighting in deep learning?, arXiv
    1812.03372, for weights that are inverse to the frequencies of classes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import ClassBalanced, CNNClassifier, Entropy
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> ClassBalanced(Entropy()).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "strategy": [QueryStrategy],
        "strength": [Interval(Real, 0, None, closed="left")],
    }

    _with_work: ClassVar[str | None] = "exact"

    def __init__(
        self,
        strategy: Any,
        *,
        strength: float = 1.0,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.strategy = strategy
        self.strength = strength
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _looking_at_all(self) -> QueryStrategy | None:
        return self.strategy._looking_at_all()

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        (member,), draw = seeded([self.strategy], self.random_state, self)
        found = member.select(
            estimator, X_pool, n_instances, X_labelled=X_labelled, y_labelled=y_labelled
        )
        utilities = found.utilities
        if utilities is None or bool((utilities < 0).any()):
            must = "a strategy that gives every sample a utility of at least 0, as Entropy does"
            remedy = "To balance other strategies, share the batch with one of these: Hybrid."
            raise invalid("strategy", self, must, self.strategy, remedy)
        predicted = predicted_classes(estimator, Pool.of(X_pool), self)
        frequencies = np.bincount(predicted) / len(predicted)
        utilities = utilities / frequencies[predicted] ** self.strength
        return highest(utilities, n_instances, draw)
