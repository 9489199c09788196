"""Learning Loss: the samples whose loss is predicted to be the highest."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from skactive._batches import as_tensor, check_finite, map_batches, take_rows
from skactive._device import module_device, resolve_device, same_device
from skactive._validation import owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._networks import (
    check_two_classes,
    has_network,
    open_learner,
    single_learner,
    transform,
)
from skactive.strategies.base._progress import shown
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
        Draws the subset, and breaks exact ties; with None these are broken by position.

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

    def _scores(self, estimator: Any, X_pool: Any, positions: np.ndarray) -> np.ndarray:
        fitted, transforms = open_learner(single_learner(estimator, self), self)
        if not hasattr(fitted, "predict_loss"):
            raise UnsupportedEstimatorError(
                f"{owner_name(self)} needs a classifier that predicts losses, with predict_loss(X)."
                f" Got {owner_name(fitted)} instead. Use an LPLClassifier."
            )
        check_two_classes(len(fitted.classes_), self)
        fitted = self._on_device(fitted)

        def losses(rows: np.ndarray, start: int) -> np.ndarray:
            block = transform(take_rows(X_pool, rows), transforms)
            if hasattr(fitted, "check_samples"):
                block = fitted.check_samples(block)
                check_finite(as_tensor(block), self, "X_pool", rows)
            return np.asarray(fitted.predict_loss(block), dtype=np.float64)

        batches = map_batches(losses, positions, self.batch_size)
        parts = [part for _, part in shown(self, len(positions), batches)]
        predicted = np.concatenate(parts)
        if not np.isfinite(predicted).all():
            first = positions[np.flatnonzero(~np.isfinite(predicted))[0]]
            raise ValueError(
                f"The network queried by {owner_name(self)} returns NaN or infinity, first for "
                f"sample {first} of the pool. Its training has probably diverged: lower lr and fit "
                "again."
            )
        return predicted

    def _on_device(self, fitted: Any) -> Any:
        """Return the estimator, or a copy of it whose networks are where `device` says."""
        if self.device is None:
            return fitted
        where = resolve_device(self.device, self)
        if not has_network(fitted) or same_device(where, module_device(fitted.module_)):
            return fitted
        fitted = copy.deepcopy(fitted)
        for name in ("module_", "loss_module_"):
            if hasattr(fitted, name):
                getattr(fitted, name).to(where)
        return fitted
