"""How a classifier is trained in each round, beyond its own settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from skorch.callbacks import Callback, EarlyStopping

from skactive._parts import parts
from skactive._validation import InvalidParameterError, Phrase, invalid

_PROTOCOL = "Protocol"


@dataclass(frozen=True)
class Protocol:
    """How the classifier is trained in each round of an experiment.

    What is not None or False is set on the estimator before each training, in place of what it
    had: on every network that it holds, also inside a Pipeline, an ensemble or a search. The
    default leaves the estimator as it is and trains it from scratch in each round.

    Parameters
    ----------
    warm_start : bool, default=False
        Whether a round goes on from the weights of the round before. After a kill, such a run
        trains its finished rounds again, since their weights were not kept; the numbers stay the
        same. The estimator, or the last step of a Pipeline, has to be the network: ensembles and
        searches train clones, which know no earlier round.
    train_to : float or None, default=None
        Stop training once an epoch's accuracy on the training batches has reached this, at most 1;
        FisherMask's authors train to 0.99. `max_epochs` still bounds the epochs.
    validation : float or None, default=None
        The share of the labelled images that is held out for validation, between 0 and 1. These
        labels are paid for like the others: they count, and strategies see them as labelled.
    patience : int or None, default=None
        Stop training after this many epochs without a lower validation loss, and take the weights
        of the best epoch. Needs `validation`.
    augment : str or None, default=None
        How training batches are augmented, such as "strong": see `CNNClassifier`. The pool and
        the test images are never augmented.

    Raises
    ------
    InvalidParameterError
        If a value is wrong.

    References
    ----------
    FisherMask, arXiv 2411.05752: training to 99 %.

    Examples
    --------
    >>> from skactive.experiments import Protocol
    >>> Protocol(validation=0.1, patience=5)
    Protocol(warm_start=False, train_to=None, validation=0.1, patience=5, augment=None)
    """

    warm_start: bool = False
    train_to: float | None = None
    validation: float | None = None
    patience: int | None = None
    augment: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # records and settings are of Python's numbers
                value = value.item()
                object.__setattr__(self, field.name, value)
            must = _fault(field.name, value)
            if must:
                raise invalid(field.name, _PROTOCOL, must, value)
        if self.patience is not None and self.validation is None:
            raise invalid(
                "patience",
                _PROTOCOL,
                Phrase("{None} without validation"),
                self.patience,
                "Set validation=0.1, say: what is held out decides when to stop.",
            )

    def apply(self, estimator: Any, name: str = "estimator") -> Any:
        """Set what the protocol says on an estimator, and return it.

        Parameters
        ----------
        estimator : estimator
            Changed in place.
        name : str, default="estimator"
            What messages call it.

        Returns
        -------
        estimator
            The same.

        Raises
        ------
        InvalidParameterError
            If it has no parameter to set this by.
        """
        if self.warm_start:
            _set_warm_start(estimator, name)
        if self.validation is not None:
            for network in _networks(estimator, "train_split", name):
                network.set_params(train_split=self.validation)
        if self.augment is not None:
            for network in _networks(estimator, "augment", name):
                network.set_params(augment=self.augment)
        if self.train_to is not None or self.patience is not None:
            for network in _networks(estimator, "callbacks", name):
                own = network.get_params(deep=False)["callbacks"] or []
                network.set_params(callbacks=[*own, *self._callbacks()])
        return estimator

    def _callbacks(self) -> Iterator[Callback]:
        if self.train_to is not None:
            yield StopAt(self.train_to)
        if self.patience is not None:
            yield EarlyStopping("valid_loss", patience=self.patience, threshold=0, load_best=True)


class StopAt(Callback):
    """Stop at a training accuracy; the estimators' own callback records it in each epoch.

    Parameters
    ----------
    threshold : float
        The accuracy on the training batches.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop if the epoch that ends has reached the threshold."""
        if net.history[-1, "train_acc"] >= self.threshold:
            raise KeyboardInterrupt  # how skorch's own callbacks stop training


def _set_warm_start(estimator: Any, name: str) -> None:
    """Let training continue from the current weights."""
    trained = estimator
    while hasattr(trained, "steps"):  # a Pipeline trains its last step, and no clone of it
        trained = trained.steps[-1][1]
    if len(_estimators(trained)) > 1:
        raise InvalidParameterError(
            f"The 'protocol' parameter of run_experiment sets 'warm_start', but {name}="
            f"{type(trained).__name__} trains clones of what it holds, which know no round before. "
            "Use the network itself or a Pipeline that ends in it, or leave this out of the "
            "protocol."
        )
    if "warm_start" not in trained.get_params(deep=False):
        raise _lacks("warm_start", trained, name)
    trained.set_params(warm_start=True)


def _networks(estimator: Any, parameter: str, name: str) -> list[Any]:
    """Return the networks that an estimator holds, itself among them; all have the parameter."""
    networks = [
        part
        for part in _estimators(estimator)
        if {"max_epochs", "callbacks"} <= part.get_params(deep=False).keys()
    ]
    # A plain skorch net has callbacks and a train_split too, which take and know other things.
    others = [part for part in networks if "augment" not in part.get_params(deep=False)]
    if others or not networks:
        raise _lacks(parameter, others[0] if others else estimator, name)
    return networks


def _estimators(estimator: Any) -> list[Any]:
    """Return an estimator, and those inside it."""
    return [part for part in parts(estimator) if hasattr(part, "fit")]


def _lacks(parameter: str, estimator: Any, name: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"The 'protocol' parameter of run_experiment sets {parameter!r}, which "
        f"{name}={type(estimator).__name__} does not have as a CNNClassifier has it. "
        "Use a CNNClassifier, or leave this out of the protocol."
    )


def _fault(name: str, value: Any) -> str:
    """Say what a setting must be, if it is not; nothing otherwise."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "warm_start":
        return "" if isinstance(value, bool) else Phrase("{True} or {False}")
    if value is None:
        return ""
    if name == "train_to":
        good = number and 0 < value <= 1
        return "" if good else Phrase("{None}, or a number above 0 and at most 1")
    if name == "validation":
        good = number and 0 < value < 1
        return "" if good else Phrase("{None}, or a number between 0 and 1")
    if name == "patience":
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return "" if good else Phrase("{None}, or an int of at least 1")
    return "" if isinstance(value, str) else Phrase("{None}, or the name of an augmentation")
