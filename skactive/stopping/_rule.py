"""The contract of stopping rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skactive._batches import n_rows
from skactive._one_label import KINDS, labels_of_one_kind
from skactive._predictions import check_comparable, predicted_labels
from skactive._validation import DeclaredParameters, Description, describe, invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError


@dataclass(frozen=True)
class State:
    """What a rule knows after some rounds; a rule returns the next one, and changes none.

    Parameters
    ----------
    stop : bool
        Whether the rule says to stop after the last of them.
    values : tuple of float
        What the rule has compared with its threshold in each round; NaN where it had too few
        rounds, or nothing to compare.
    seen : tuple of ndarray
        What each round has left: predicted classes, say. `rule.judge(seen)` makes a state of them.
    """

    stop: bool
    values: tuple[float, ...]
    seen: tuple[np.ndarray, ...]

    @property
    def value(self) -> float:
        """The value of the last round."""
        return self.values[-1]


class StoppingRule(DeclaredParameters, BaseEstimator, ABC):
    """Base class of the stopping rules: parameters, and what to do with the rounds so far.

    A rule is called with each round's estimator and always the same samples, and returns a
    `State`, which the caller keeps and passes to the next call.

    A subclass implements `observe`, what a round leaves, `measure`, a number from what the rounds
    so far have left, and `is_reached`, whether the number says to stop. It sets `needs_labels` if
    it needs `y_stop`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.stopping import StoppingRule
    >>> class Accurate(StoppingRule):
    ...     needs_labels = True
    ...     def __init__(self, accuracy=0.9):
    ...         self.accuracy = accuracy
    ...     def observe(self, estimator, X_stop, y_stop=None):
    ...         return np.asarray(estimator.predict(X_stop) == y_stop)
    ...     def measure(self, seen):
    ...         return seen[-1].mean()
    ...     def is_reached(self, value):
    ...         return value >= self.accuracy
    >>> Accurate(0.6).judge([[True, False, False], [True, False, True]]).stop
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {}
    # Whether the rule needs y_stop.
    needs_labels: ClassVar[bool] = False

    def __call__(
        self, estimator: Any, X_stop: Any, y_stop: Any = None, *, state: State | None = None
    ) -> State:
        """Look at the estimator of a round.

        Parameters
        ----------
        estimator : classifier or modAL learner
            Fitted on the labels so far.
        X_stop : array-like of n samples
            What it is asked about: the same samples in every round, drawn at random from the pool
            before the first query, so that they do not depend on what a strategy chooses.
        y_stop : array-like of n labels or None, default=None
            Their labels, for a rule with `needs_labels`; others leave them.
        state : State or None, default=None
            What this returned in the round before; None in the first round.

        Returns
        -------
        State
            With `stop`, whether to stop now, and `value`, the number behind it.

        Raises
        ------
        InvalidParameterError
            If a parameter is wrong, labels are missing, or there are more or fewer samples than
            before.
        UnsupportedEstimatorError
            If the rule needs probabilities, and the estimator has none.
        """
        self._validate_params()
        found = self.observe(estimator, X_stop, y_stop)
        return self._after(state, found)

    def judge(self, seen: Iterable[Any], *, state: State | None = None) -> State:
        """Return the state after rounds that have left this, such as those of another threshold.

        Parameters
        ----------
        seen : iterable of array-like
            What `observe` returned in each round, in order.
        state : State or None, default=None
            That of the rounds before these; None if there are none.

        Returns
        -------
        State
            As after a call per round.
        """
        self._validate_params()
        for found in seen:
            state = self._after(state, np.asarray(found))
        return State(False, (), ()) if state is None else state

    @abstractmethod
    def observe(self, estimator: Any, X_stop: Any, y_stop: Any = None) -> np.ndarray:
        """Return what a round leaves for this rule; the parameters are those of a call."""

    @abstractmethod
    def measure(self, seen: tuple[np.ndarray, ...]) -> float:
        """Return the number of the last of these rounds."""

    @abstractmethod
    def is_reached(self, value: float) -> bool:
        """Return whether a number says to stop; NaN does not."""

    def _after(self, state: State | None, found: np.ndarray) -> State:
        before = State(False, (), ()) if state is None else state
        if not isinstance(before, State):
            raise invalid("state", self, "what a call returned in the round before, or None", state)
        if before.seen and before.seen[-1].shape != found.shape:
            must = f"the {before.seen[-1].size} samples of the rounds before"
            got = Description(f"{found.size} samples")
            raise invalid("X_stop", self, must, got, "Draw them once, before the first round.")
        if before.seen:
            _check_kind(self, before.seen[-1], found)
        seen = (*before.seen, found)
        value = float(self.measure(seen))
        return State(bool(self.is_reached(value)), (*before.values, value), seen)


def _check_kind(rule: StoppingRule, before: np.ndarray, found: np.ndarray) -> None:
    """Raise for numbers after strings, which NumPy takes for different, or the reverse."""
    first, now = (KINDS.get(each.dtype.kind) for each in (before, found))
    if first and now and first != now:
        must = f"one that predicts {first}, as in the rounds before"
        got = Description(f"one that predicts {now}, such as {found.flat[0].item()!r},")
        raise invalid("estimator", rule, must, got, "Train all rounds on labels of one kind.")


def last_pairs(
    seen: tuple[np.ndarray, ...], window: int
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Return the last `window` pairs of successive rounds; None where there are fewer."""
    if len(seen) <= window:
        return None
    last = seen[-window - 1 :]
    return list(pairwise(last))


def predicted_classes(rule: StoppingRule, estimator: Any, X_stop: Any) -> tuple[np.ndarray, str]:
    """Return the predicted classes of the samples, (n,), and of what kind they are."""
    if not hasattr(estimator, "predict"):
        raise UnsupportedEstimatorError(
            f"{owner_name(rule)} needs a fitted classifier. Got {owner_name(estimator)} instead."
        )
    n = n_rows(X_stop)
    if not n:
        raise invalid("X_stop", rule, "at least one sample", X_stop)
    return predicted_labels(estimator, X_stop, rule, n)


def rightly_predicted(rule: StoppingRule, estimator: Any, X_stop: Any, y_stop: Any) -> np.ndarray:
    """Return which samples are predicted as they are labelled, (n,) of bool, or raise."""
    predicted = predicted_classes(rule, estimator, X_stop)
    n = len(predicted[0])
    if y_stop is None or np.shape(y_stop) != (n,):
        got = Description(describe(y_stop))
        raise invalid("y_stop", rule, f"the labels of the {n} samples of X_stop", got)
    true = labels_of_one_kind("y_stop", y_stop, rule)
    check_comparable(predicted, true, estimator, rule)
    return predicted[0] == true[0]
