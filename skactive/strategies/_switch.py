"""Switch: one strategy after the other, as the labels grow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

from skactive._batches import n_rows
from skactive._validation import Phrase, invalid
from skactive.strategies.base._compositions import Composition, seeded
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


class Switch(Composition):
    """Choose by one strategy while there are few labels, and by another one later.

    With few labels a network's uncertainty says little, and strategies that spread out over the
    pool, or chance, do better; later it is the other way round. A query is answered by the first
    strategy whose `until_labels` exceeds the number of labelled samples, those that the learner has
    or that `select` is given; without any it is 0.

    Parameters
    ----------
    phases : list of (QueryStrategy, int), the last one (QueryStrategy, None)
        Each strategy, and the number of labels that ends its phase, increasing; None is no end. A
        name may come first: (str, QueryStrategy, int). Without names the strategies have those of
        their classes, in lower case: the parameter `margin__batch_size` of the whole is that of a
        Margin in the list. With several of one class, these are `margin-1`, `margin-2`, ….
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategies, in place of their own `random_state`; None leaves them theirs.

    References
    ----------
    TypiClust, arXiv 2202.02794, on why few labels and many want opposite strategies.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, Margin, Random, Switch
    >>> X, y = load_digits(return_X_y=True)
    >>> query = Switch([(Random(), 100), (Margin(), None)], random_state=0)
    >>> query.select(None, X, n_instances=100).indices.shape  # no labels yet: at random
    (100,)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query.select(clf, X[100:], 10, X_labelled=X[:100], y_labelled=y[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        "phases": [list, tuple],
    }
    _entries_parameter: ClassVar[str] = "phases"
    _must: ClassVar[str] = (
        "a list of pairs (strategy, until_labels), such as [(Random(), 100), (Entropy(), None)], "
        "or of triples (name, strategy, until_labels)"
    )

    def __init__(self, phases: Sequence[Any], *, random_state: Any = None) -> None:
        self.phases = phases
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        self._limits()

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        members, _ = seeded(self._check(), self.random_state, self)
        labelled = y_labelled if X_labelled is None else X_labelled
        n_labelled = 0 if labelled is None else n_rows(labelled)
        phase = sum(n_labelled >= limit for limit in self._limits())
        return members[phase].select(
            estimator, X_pool, n_instances, X_labelled=X_labelled, y_labelled=y_labelled
        )

    def _limits(self) -> list[int]:
        """Return where the phases end, the last one apart."""
        good = all(isinstance(phase, tuple) and len(phase) >= 2 for phase in self.phases)
        if not good:
            raise invalid("phases", self, self._must, self.phases)
        limits: list[Any]
        *limits, last = [phase[-1] for phase in self.phases]
        whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in limits)
        if not whole or any(a >= b for a, b in pairwise([0, *limits])) or last is not None:
            must = Phrase(
                "a list whose until_labels are increasing ints of at least 1, and {None} at last"
            )
            remedy = "End with (strategy, None), the strategy for all labels beyond."
            raise invalid("phases", self, must, [*limits, last], remedy)
        return limits
