"""Learning Loss: the samples whose loss is predicted to be the highest."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from skactive._batches import as_tensor, check_finite, map_batches, n_rows
from skactive._device import module_device, resolve_device, same_device
from skactive._pool import Pool
from skactive._validation import owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._learner import OpenLearner, check_two_classes, open_learner
from skactive.strategies.base._progress import counted
from skactive.strategies.base._subset import SubsetStrategy


class LearningLoss(SubsetStrategy):
    """Choose the samples whose loss the classifier predicts to be the highest.

    The classifier predicts it by `predict_loss`, as an `LPLClassifier` does, whose loss-prediction
    module was trained jointly with its network. The utility is the predicted loss l̂; only its order
    has a meaning. The samples are a random subset of the pool, so that a batch of them is not all
    of one kind.

    Parameters
    ----------
    subset : int or None, default=10000
        Number of pool samples to consider, drawn at random; None is all.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the subset, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    Learning Loss for active learning, arXiv 1905.03677, section 3; the subset is that of its
    experiments on image classification.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import LearningLoss, LPLClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = LPLClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> LearningLoss(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    def __init__(
        self,
        *,
        subset: int | None = 10000,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.subset = subset
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _score(self, estimator: Any, pool: Pool) -> np.ndarray:
        learner = open_learner(estimator, self)
        fitted = learner.estimator
        if not hasattr(fitted, "predict_loss"):
            raise UnsupportedEstimatorError(
                f"{owner_name(self)} needs a classifier that predicts losses, with predict_loss(X)."
                f" Got {owner_name(fitted)} instead. Use an LPLClassifier."
            )
        check_two_classes(len(fitted.classes_), self)
        fitted = self._on_device(learner)

        def losses(block: Any, start: int) -> np.ndarray:
            block = learner.transform(block)
            if learner.prepares:
                block = fitted.check_samples(block)
                where = pool.positions[start : start + n_rows(block)]
                check_finite(as_tensor(block), self, "X_pool", where)
            return np.asarray(fitted.predict_loss(block), dtype=np.float64)

        with counted(self, pool) as samples:
            batches = map_batches(losses, samples, self.batch_size)
            predicted = np.concatenate([part for _, part in batches])
        if not np.isfinite(predicted).all():
            first = pool.positions[np.flatnonzero(~np.isfinite(predicted))[0]]
            raise ValueError(
                f"The network queried by {owner_name(self)} returns NaN or infinity, first for "
                f"sample {first} of the pool. Its training has probably diverged: lower lr and fit "
                "again."
            )
        return predicted

    def _on_device(self, learner: OpenLearner) -> Any:
        """Return the estimator, or a copy of it whose networks are where `device` says."""
        fitted = learner.estimator
        if self.device is None:
            return fitted
        where = resolve_device(self.device, self)
        if not learner.has_network or same_device(where, module_device(fitted.module_)):
            return fitted
        fitted = copy.deepcopy(fitted)
        for name in ("module_", "loss_module_"):
            if hasattr(fitted, name):
                getattr(fitted, name).to(where)
        return fitted
