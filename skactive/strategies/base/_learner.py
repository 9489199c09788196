"""From what a user passes as the estimator to the fitted classifier inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skactive._one_label import plain_array
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError

# Characters of a member's classes in a message.
_SHOWN = 60


@dataclass(frozen=True, eq=False)
class OpenLearner:
    """A fitted classifier, and what precedes it.

    Parameters
    ----------
    estimator : object
        The classifier at the end: a `skactive.protocols.ProbabilisticClassifier` or
        `NetworkClassifier`.
    transforms : tuple of callable
        The steps before it, applied to blocks of samples in this order.
    """

    estimator: Any
    transforms: tuple[Callable[[Any], Any], ...] = ()

    @property
    def has_network(self) -> bool:
        """Whether the classifier is a `NetworkClassifier`.

        A skorch net that was initialised, and whose weights were loaded, is one that may not know
        its classes.
        """
        known = hasattr(self.estimator, "classes_") or hasattr(self.estimator, "initialized_")
        return known and hasattr(self.estimator, "module_")

    @property
    def prepares(self) -> bool:
        """Whether the classifier is one of `PreparesSamples`."""
        return hasattr(self.estimator, "check_samples")

    @property
    def _is_of_scikit_learn(self) -> bool:
        """Whether the classifier takes arrays, not tensors."""
        return hasattr(self.estimator, "__sklearn_tags__") and not self.has_network

    def transform(self, block: Any) -> Any:
        """Apply the steps before the classifier to a block of samples."""
        if isinstance(block, Tensor) and (self.transforms or self._is_of_scikit_learn):
            block = plain_array(block)
        for step in self.transforms:
            block = step(block)
        return block


def open_learner(given: Any, owner: object) -> OpenLearner:
    """Return the fitted classifier inside a modAL learner, a fitted search or a Pipeline.

    Parameters
    ----------
    given : object
        One of these, or the classifier itself; an OpenLearner is returned as it is.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    OpenLearner
        The classifier at the end, and the steps before it.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    UnsupportedEstimatorError
        If these are several, or no estimator at all.
    """
    if isinstance(given, OpenLearner):
        return given
    several = members_of(given)
    if several is not None:
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} reads one network and cannot average a Committee of "
            f"{len(several)}. Pass committee.learner_list[0], or query with a "
            "strategy that reads probabilities, such as Entropy."
        )
    transforms: list[Callable[[Any], Any]] = []
    for layer in _layers(given):
        if not _is_modal(layer):
            _check_fitted(layer, owner)
        if isinstance(layer, Pipeline) and len(layer.steps) > 1:
            transforms.append(layer[:-1].transform)
    return OpenLearner(layer, tuple(transforms))


def members_of(given: Any) -> list[Any] | None:
    """Return the learners of a modAL Committee or of a list of estimators; None for one learner."""
    members = given if isinstance(given, (list, tuple)) else None
    members = getattr(given, "learner_list", members)
    return None if members is None else list(members)


def skipping_reader(given: Any) -> Any:
    """Return the reader in a Pipeline's first step that leaves out broken files; None if none does.

    It has `errors="skip"`, and says with `readable(X)` what it can read. It is looked for in modAL
    learners, Committees, lists and searches too, fitted or not.
    """
    members = members_of(given)
    if members is not None:
        found = (skipping_reader(member) for member in members)
        return next((reader for reader in found if reader is not None), None)
    for layer in _layers(given):
        if isinstance(layer, Pipeline):
            return skipping_reader(layer.steps[0][1])
    return layer if skips(layer) else None


def skips(reader: Any) -> bool:
    """Whether a reader of files, or a pool of them, leaves out those that are broken."""
    return getattr(reader, "errors", None) == "skip" and hasattr(reader, "readable")


def check_two_classes(n_classes: int, owner: object) -> None:
    """Raise if there is nothing to tell apart."""
    if n_classes < 2:
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} needs a classifier of two classes or more. Got one that knows a "
            "single class. List every class in classes=, or label samples of another class."
        )


def check_same_classes(classes: list[Any], owner: object) -> None:
    """Raise unless members know the same classes, in whatever order.

    A class that a member has never seen would count as one that it is certain about.

    Parameters
    ----------
    classes : list of (array-like or None)
        The classes of each member; None, where one has none, is left to what reads it.
    owner : object
        The strategy, for the error message.

    Raises
    ------
    InvalidParameterError
        If they differ. 1 and 1.0 are the same, 1 and "1" are not.
    """
    known = [np.asarray(each).tolist() for each in classes if each is not None]
    different = [each for i, each in enumerate(known) if set(each) not in map(set, known[:i])]
    if len(different) < 2:
        return
    must = "members that know the same classes"
    shown = [
        text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..." for text in map(str, different)
    ]
    got = Description(" and ".join(shown[:3]) + (" and others" if len(shown) > 3 else ""))
    remedy = (
        "Fit all with labels of one kind, and with samples of each class, or list it in classes=."
    )
    raise invalid("estimator", owner, must, got, remedy)


def _layers(given: Any) -> Iterator[Any]:
    """Yield what is passed, and what is inside of it, down to what holds nothing further."""
    yield given
    if isinstance(given, OpenLearner):
        yield given.estimator
    elif _is_modal(given):
        yield from _layers(given.estimator)
    elif isinstance(given, Pipeline):
        yield from _layers(given.steps[-1][1])
    elif hasattr(given, "best_estimator_"):
        yield from _layers(given.best_estimator_)
    elif isinstance(given, FrozenEstimator):
        yield from _layers(given.estimator)


def _is_modal(given: Any) -> bool:
    return hasattr(given, "query_strategy") and hasattr(given, "estimator")


def _check_fitted(given: Any, owner: object) -> None:
    *_, last = _layers(given)
    if not hasattr(last, "__sklearn_tags__") and hasattr(last, "classes_"):
        return  # none of scikit-learn's kind: it knows its classes, and that has to do
    try:
        check_is_fitted(given)
        if not getattr(given, "initialized_", True):  # skorch 1.2 does not tell scikit-learn
            raise NotFittedError
    except NotFittedError:
        raise NotFittedError(
            f"{owner_name(owner)} needs a fitted estimator, and this "
            f"{owner_name(given)} is not fitted. Call fit first, or give the ActiveLearner "
            "X_training and y_training; choose the first labels with Random or "
            "skactive.datasets.initial_positions."
        ) from None
    except (TypeError, AttributeError):  # a class, or nothing of scikit-learn's kind
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} needs a fitted classifier or a modAL learner. Got "
            f"{owner_name(given)} instead."
        ) from None
