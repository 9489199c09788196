"""Strategies that read nothing but the predicted probabilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

from skactive._device import resolve_device
from skactive._pool import Pool
from skactive._predictions import known_classes, predicted_probabilities
from skactive._rng import generator
from skactive._validation import invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._by_blocks import by_blocks
from skactive.strategies.base._learner import (
    check_same_classes,
    check_two_classes,
    members_of,
    open_learner,
)
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._ranking import highest


class ProbabilityReader(QueryStrategy):
    """Base class of what reads the predicted probabilities, averaged over several estimators."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
    }

    def __init__(
        self, *, batch_size: int = 256, device: Any = None, random_state: Any = None
    ) -> None:
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _read(self, estimator: Any, X_pool: Any) -> np.ndarray:
        """Return the log-probabilities of the pool, (N, C) with C ≥ 2, in float64."""
        if self.device is not None:
            resolve_device(self.device, self)
        pool = Pool.of(X_pool)
        log_p = average_log_probabilities(estimator, pool, self.batch_size, self.device, self)
        check_two_classes(log_p.shape[1], self)
        return log_p


# Numbers of a block whose intermediate results stay in a CPU's cache.
_BLOCK = 2**15


class ProbabilityStrategy(ProbabilityReader):
    """Base class of the strategies that value a sample by its class probabilities.

    A subclass implements `_utilities(log_p)`: from the log-probabilities of N samples, an array of
    shape (N, C) in float64, it returns their utilities, of shape (N,), higher is better. Everything
    else is taken care of: the pool is read in batches, whatever it is; networks, Pipelines,
    searches and classifiers with `predict_proba` are called; the members of a Committee,
    or of a list of fitted estimators, are averaged. With `select(…, work=…)` the N samples are
    those of a block of the pool.

    Parameters
    ----------
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Breaks exact ties; None breaks them afresh at each call.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, ProbabilityStrategy
    >>> class Gini(ProbabilityStrategy):
    ...     def _utilities(self, log_p):
    ...         return 1 - np.exp(2 * log_p).sum(axis=1)  # 1 − Σ p²
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> Gini().select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _with_work: ClassVar[str | None] = "exact"

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        score = partial(self._score, estimator)
        utilities = by_blocks(score, Pool.of(X_pool), self.batch_size, self)
        return highest(utilities, n_instances, generator(self.random_state, self))

    def _score(self, estimator: Any, pool: Pool) -> np.ndarray:
        return self._utilities(self._read(estimator, pool))

    @abstractmethod
    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        """Return the utilities (N,) of samples with log-probabilities (N, C)."""


def predicted_classes(learner: Any, pool: Pool, strategy: Any) -> np.ndarray:
    """Return which class is the most probable, (N,), of two or more, by number."""
    return by_blocks(partial(_predicted, learner, strategy), pool, strategy.batch_size, strategy)


def _predicted(learner: Any, strategy: Any, pool: Pool) -> np.ndarray:
    size, device = strategy.batch_size, strategy.device
    log_p = average_log_probabilities(learner, pool, size, device, strategy)
    check_two_classes(log_p.shape[1], strategy)
    return log_p.argmax(1)


def average_log_probabilities(
    learner: Any, pool: Pool, batch_size: int, device: Any, owner: object
) -> np.ndarray:
    """Return the log-probabilities of a learner, or of the average over a Committee's members.

    Parameters
    ----------
    learner : object
        An estimator, a learner or a Committee; see `QueryStrategy.select`.
    pool : Pool of N samples
        The pool.
    batch_size : int
        Samples per forward pass.
    device : str, torch.device or None
        Where to compute, for networks; None is where the network is.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    ndarray of shape (N, C)
        In float64.
    """
    members = members_of(learner)
    if members is None:
        return _log_probabilities(learner, pool, batch_size, device, owner)[0]
    log_p = member_log_probabilities(members, pool, batch_size, device, owner)
    return np.logaddexp.reduce(log_p, axis=0) - np.log(len(members))


def member_log_probabilities(
    members: list[Any], pool: Pool, batch_size: int, device: Any, owner: object
) -> np.ndarray:
    """Return the log-probabilities of each of several learners.

    Parameters
    ----------
    members : list of M objects
        Estimators or learners.
    pool : Pool of N samples
        The pool.
    batch_size : int
        Samples per forward pass.
    device : str, torch.device or None
        Where to compute, for networks; None is where the network is.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    ndarray of shape (M, N, C)
        In float64, the classes in the order of the first member's.

    Raises
    ------
    InvalidParameterError
        If there are no members, or they do not know the same classes.
    """
    if not members:
        raise invalid("estimator", owner, "at least one fitted estimator", members)
    opened = [open_learner(member, owner) for member in members]
    check_same_classes([getattr(each.estimator, "classes_", None) for each in opened], owner)
    found = [_log_probabilities(each, pool, batch_size, device, owner) for each in opened]
    # once more, with those of nets that do not know theirs, whose columns are numbered
    check_same_classes([known for _, known in found], owner)
    classes = found[0][1]
    column = {label: i for i, label in enumerate(classes.tolist())}
    out = np.empty((len(found), len(pool), len(column)))
    for own, (log_p, known) in zip(out, found, strict=True):
        if np.array_equal(known, classes):  # copied in one go, which is faster
            own[:] = log_p
        else:
            own[:, [column[label] for label in known.tolist()]] = log_p
    return out


def _log_probabilities(
    learner: Any, pool: Pool, batch_size: int, device: Any, owner: object
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-probabilities (N, C) of one member, and its classes (C,)."""
    opened = open_learner(learner, owner)
    if opened.has_network:
        network = PoolNetwork(opened, owner, device)
        return network.log_probabilities(pool, batch_size), network.classes
    estimator = opened.estimator
    if not hasattr(estimator, "predict_proba"):
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} needs a classifier with predict_proba. Got "
            f"{owner_name(estimator)} instead. Pass one that has it: a search with refit=True, a "
            "VotingClassifier with voting='soft', an SVC with probability=True."
        )
    classes = known_classes(estimator, owner)
    log_p = np.empty((len(pool), len(classes)))
    for start in range(0, len(log_p), batch_size):
        block = slice(start, min(start + batch_size, len(log_p)))
        positions = pool.positions[block]
        p = predicted_probabilities(
            estimator,
            opened.transform(pool[block]),
            owner,
            shape=(len(positions), len(classes)),
            positions=positions,
        )
        with np.errstate(divide="ignore"):
            np.log(p, out=log_p[block], dtype=np.float64)
    return log_p, classes


def by_rows(function: Callable[[np.ndarray], np.ndarray], log_p: np.ndarray) -> np.ndarray:
    """Apply a function from rows (n, C) to numbers (n,), block by block, as a cache holds them."""
    size = max(1, _BLOCK // log_p.shape[1])
    parts = [function(log_p[start : start + size]) for start in range(0, len(log_p), size)]
    return np.concatenate(parts)


def split_off_best(log_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (N, C) with 0 for the best class, and Σ of them = 1 − max p, (N,).

    The sum keeps its digits where max p rounds to 1.
    """
    others = np.exp(log_p)
    np.put_along_axis(others, log_p.argmax(1)[:, None], 0.0, axis=1)
    return others, others.sum(1)


def entropies(log_p: np.ndarray) -> np.ndarray:
    """Return H = −Σ_c p_c log p_c of distributions (N, C), as (N,)."""
    return by_rows(_entropies, log_p)


def _entropies(log_p: np.ndarray) -> np.ndarray:
    others, rest = split_off_best(log_p)
    # log max p = log(1 − Σ others), which keeps its digits where max p rounds to 1
    best = 1 - rest
    products = np.maximum(log_p, -1e3)  # finite where p is 0
    products *= others
    return -(best * np.log1p(-rest) + products.sum(1))
