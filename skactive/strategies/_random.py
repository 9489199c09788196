"""Random sampling."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skactive._batches import n_rows
from skactive._rng import generator
from skactive.selection import top_n
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


class Random(QueryStrategy):
    """Choose samples uniformly at random: the baseline that every strategy has to beat.

    It looks at nothing but the size of the pool, so it can also choose the first labels, before
    there is a fitted estimator.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None, default=None
        An int chooses the same positions at each call on a pool of the same size; None draws
        afresh.

    References
    ----------
    B. Settles, Active learning literature survey, University of Wisconsin-Madison, 2009, on random
    sampling as the baseline.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive import Random
    >>> pool = np.zeros((100, 8, 8))
    >>> Random(random_state=0).select(None, pool, 3).indices.shape
    (3,)
    """

    _with_work: ClassVar[str | None] = "exact"

    def __init__(self, *, random_state: Any = None) -> None:
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        utilities: np.ndarray = generator(self.random_state, self).random(n_rows(X_pool))
        return Selection(top_n(utilities, n_instances), utilities)
