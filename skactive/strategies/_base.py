"""The contract of every query strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skactive._sub_pool import SubPool
from skactive._torch import check_not_iterable_dataset, n_rows
from skactive._validation import check_count, invalid
from skactive.strategies._readable import readable_positions

BATCH_CONSTRAINTS: dict[str, list] = {
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "device": [str, torch.device, None],
}


@dataclass(frozen=True)
class Selection:
    """What a query strategy picked.

    Parameters
    ----------
    indices : ndarray of shape (n,), int64
        Positions in the pool, distinct, in the order picked.
    utilities : ndarray of shape (N,) or None
        One number a pool sample, higher is better; NaN where a sample was not scored. None for
        strategies that value batches instead of samples.
    gains : ndarray of shape (n,) or None
        For those: what each pick added, in the order picked.
    """

    indices: np.ndarray
    utilities: np.ndarray | None = None
    gains: np.ndarray | None = None


class QueryStrategy(BaseEstimator, ABC):
    """Base class of the query strategies: configured at construction, then called by a learner.

    A subclass stores its parameters, among them `random_state`, and may declare them in
    `_parameter_constraints`, as scikit-learn's estimators do. It implements
    `_select(estimator, X_pool, n_instances, X_labelled, y_labelled)`, which returns a `Selection`
    and keeps nothing between calls. The pool is then not empty, `n_instances` is an int that it
    allows, and the labelled samples may be None. X_pool is what was passed, or a part of it, as a
    sequence: index it by slices or arrays of positions.

    See Also
    --------
    ProbabilityStrategy : For strategies that read nothing but class probabilities.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "random_state": ["random_state", np.random.Generator]
    }
    random_state: Any

    def __call__(self, learner: Any, X_pool: Any, n_instances: int = 1) -> Any:
        """Choose samples for a modAL learner; this is what `learner.query(X_pool)` calls.

        Parameters
        ----------
        learner : modAL.models.ActiveLearner or modAL.models.Committee
            The learner, fitted. Its `X_training` and `y_training` are the labelled samples.
        X_pool : array-like of N samples
            The unlabelled pool.
        n_instances : int, default=1
            How many to choose.

        Returns
        -------
        ndarray of shape (n_instances,), int64
            Positions in the pool, in the order picked; with modAL 0.4.2.1, whose `query` expects
            a pair, also the utilities.
        """
        selection = self.select(
            learner,
            X_pool,
            n_instances,
            X_labelled=getattr(learner, "X_training", None),
            y_labelled=getattr(learner, "y_training", None),
        )
        from skactive._modal import query_result  # here, since it imports pandas and modAL

        return query_result(selection.indices, selection.utilities)

    def select(
        self,
        estimator: Any,
        X_pool: Any,
        n_instances: int = 1,
        *,
        X_labelled: Any = None,
        y_labelled: Any = None,
    ) -> Selection:
        """Choose samples for any fitted estimator, without a modAL learner.

        Parameters
        ----------
        estimator : object
            A fitted CNNClassifier, a plain skorch NeuralNetClassifier, a Pipeline or a fitted
            search that ends in one, or a modAL learner of these. Strategies that read only
            probabilities also take any classifier with `predict_proba`, and a Committee or a list
            of fitted estimators.
        X_pool : array-like, Tensor or torch Dataset of N samples
            The unlabelled pool, read in batches.
        n_instances : int, default=1
            How many to choose.
        X_labelled, y_labelled : array-like of L samples, or None, default=None
            The labelled samples and their labels, for strategies that use them.

        Returns
        -------
        Selection
            The positions in the pool, and the utilities or gains behind them.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, the pool is empty, or `n_instances` exceeds it.
        NotFittedError
            If the estimator is not fitted.
        UnsupportedEstimatorError
            If the strategy cannot use this kind of estimator.

        Warns
        -----
        UnreadableFileWarning
            If the estimator is a Pipeline that begins with an `ImageReader(errors="skip")`, and
            there are files that it cannot read. They are not chosen, and their utilities are NaN.
        """
        self._validate_params()
        check_not_iterable_dataset("X_pool", self, X_pool)
        try:
            n_pool = n_rows(X_pool)
        except TypeError:
            raise invalid(
                "X_pool", self, "an array, tensor, sequence or Dataset of samples", X_pool
            ) from None
        if n_pool == 0:
            raise invalid(
                "X_pool", self, "a pool of at least one sample", X_pool,
                "There is nothing left to label: stop, or pass more samples.",
            )  # fmt: skip
        n_instances = check_count(
            "n_instances", self, n_instances, high=n_pool, high_is="the size of the pool",
            remedy="Ask for fewer, or pass a larger pool.",
        )  # fmt: skip
        # Embeddings may come from a Pipeline of their own.
        sources = (estimator, getattr(self, "embeddings", None))
        positions = readable_positions(sources, X_pool, self)
        if positions is None:
            return self._select(estimator, X_pool, n_instances, X_labelled, y_labelled)
        check_count(
            "n_instances", self, n_instances, high=len(positions),
            high_is="the files of the pool that can be read",
            remedy="Ask for fewer, or pass a larger pool.",
        )  # fmt: skip
        part = SubPool(X_pool, positions, readable=True)
        found = self._select(estimator, part, n_instances, X_labelled, y_labelled)
        utilities = None
        if found.utilities is not None:
            utilities = np.full(n_pool, np.nan)
            utilities[positions] = found.utilities
        return Selection(positions[found.indices], utilities, found.gains)

    @abstractmethod
    def _select(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        """Choose; the pool is not empty, and `n_instances` is an int that it allows."""
