"""skorch callbacks: accuracy as training sees it, FisherMask's stopping rule, learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback

from skactive._validation import invalid, is_number


class StopTraining(Exception):
    """Raised at the end of an epoch to end training; the net stays as it is then."""


class RecordAccuracy(Callback):
    """Record the accuracy on the training and the validation batches, as each epoch sees them.

    Writes `train_acc` and, where there are validation data, `valid_acc` into the history. The
    training accuracy is that of the (augmented) batches while the weights move, which costs no
    second pass.
    """

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget the last epoch's counts."""
        self.right_: dict[bool, Any] = {True: 0, False: 0}
        self.seen_ = {True: 0, False: 0}

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Count the right predictions of a batch."""
        y, y_pred = batch[1], kwargs["y_pred"]
        # a tensor, since reading it means waiting for the device
        self.right_[training] = (
            self.right_[training] + (y_pred.argmax(1) == y.to(y_pred.device)).sum()
        )
        self.seen_[training] += len(y)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write the accuracies into the history."""
        for training, name in ((True, "train_acc"), (False, "valid_acc")):
            self.right_[training] = int(self.right_[training])
            if self.seen_[training]:
                net.history.record(name, self.right_[training] / self.seen_[training])


class StopAtTrainAccuracy(RecordAccuracy):
    """Stop training once an epoch's training accuracy has reached a threshold.

    FisherMask's rule: a network is trained until it has 99 % of the training images right. The
    number of epochs stays bounded by `max_epochs`. The accuracy is that of the batches as training
    sees them, augmented and while the weights move, so that it stays below `score` on the same
    images; with augmentation and few images it may not get there. Works in any skorch classifier
    whose module returns one column per class.

    Parameters
    ----------
    threshold : float, default=0.99
        The accuracy on the training batches at which to stop, above 0 and at most 1.

    References
    ----------
    FisherMask, arXiv 2411.05752; the rule is that of its published code.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier
    >>> from skactive.estimators import StopAtTrainAccuracy
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=200, callbacks=[StopAtTrainAccuracy()], random_state=0)
    >>> clf = clf.fit(X[:200], y[:200])
    >>> len(clf.history_) < 200, clf.history_[-1, "train_acc"] >= 0.99
    (True, True)
    """

    def __init__(self, threshold: float = 0.99) -> None:
        self.threshold = threshold

    def initialize(self) -> StopAtTrainAccuracy:
        """Check the threshold."""
        if not (is_number(self.threshold) and 0 < self.threshold <= 1):
            raise invalid("threshold", self, "a number above 0 and at most 1", self.threshold)
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop if the epoch that ends has reached the threshold."""
        super().on_epoch_end(net, **kwargs)
        if net.history[-1, "train_acc"] >= self.threshold:
            raise KeyboardInterrupt  # how skorch's own callbacks stop training


def cosine(done: float) -> float:
    """Let the learning rate fall towards zero along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * done))


def step(done: float) -> float:
    """Divide the learning rate by ten after four fifths of the epochs, as LPLgrad does."""
    return 1.0 if done < 0.8 else 0.1


SCHEDULES: dict[str, Callable[[float], float]] = {"cosine": cosine, "step": step}


class Schedule(Callback):
    """Set the learning rate of each epoch of a fit: `lr` times a factor that depends on progress.

    Epochs of `partial_fit`, which belong to no plan, use `lr` itself.

    Parameters
    ----------
    factor : callable
        Takes the share of the planned epochs that is done, from 0 to below 1; returns the factor.
    """

    def __init__(self, factor: Callable[[float], float]) -> None:
        self.factor = factor

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Count from zero."""
        self.epoch_ = 0

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Set the rate of this epoch, and record it."""
        planned = net.planned_epochs_
        lr = net.lr if planned is None else net.lr * self.factor(self.epoch_ / planned)
        net.set_rates(lr)
        net.history.record("lr", lr)
        self.epoch_ += 1
