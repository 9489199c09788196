"""The exceptions and warnings that are skactive's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skactive._phrases import RemediedError

if TYPE_CHECKING:
    from skactive._faults import InvalidParameterError

__all__ = [
    "BatchSizeWarning",
    "CheckFailedError",
    "DatasetError",
    "EmptyClassWarning",
    "FailedRunWarning",
    "InvalidParameterError",
    "ResultsMismatchError",
    "SelectionError",
    "TwoStageWarning",
    "UnfinishedRunsWarning",
    "UnreadableFileError",
    "UnreadableFileWarning",
    "UnsupportedEstimatorError",
    "ValueRangeWarning",
]


def __getattr__(name: str) -> Any:
    """Return InvalidParameterError, which brings scikit-learn, when it is first asked for."""
    if name != "InvalidParameterError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from skactive._faults import InvalidParameterError

    globals()[name] = InvalidParameterError
    return InvalidParameterError


class UnsupportedEstimatorError(TypeError):
    """A query strategy was given an estimator that it cannot use."""


class DatasetError(RemediedError, OSError):
    """The files of a data set are missing, incomplete or damaged."""


class ResultsMismatchError(RemediedError, ValueError):
    """Stored results come from another configuration than the one to be continued."""


class SelectionError(ValueError):
    """A query strategy returned something that is not a selection from its pool."""


class CheckFailedError(AssertionError):
    """A strategy or a selector does not keep the contract that `skactive.testing` checks.

    Parameters
    ----------
    owner : str
        The name of the strategy or selector.
    check : str
        What must hold.
    found : str
        What was found; a sentence.
    """

    def __init__(self, owner: str, check: str, found: str) -> None:
        super().__init__(owner, check, found)
        self.owner, self.check, self.found = owner, check, found

    def __str__(self) -> str:
        return f"{self.owner} fails the check that {self.check}. {self.found}"


class UnreadableFileError(OSError):
    """An image file cannot be read; the message names it."""


class FailedRunWarning(UserWarning):
    """A strategy of an experiment failed with some seed; the others go on."""


class UnreadableFileWarning(UserWarning):
    """Files of a pool cannot be read, and are never chosen."""


class BatchSizeWarning(UserWarning):
    """The device ran out of memory, and the batch size was lowered."""


class TwoStageWarning(UserWarning):
    """A selection did not fit in memory, and was made in two stages: the picks may differ."""


class UnfinishedRunsWarning(UserWarning):
    """Runs are cut short, and are left out; or strategies are compared that have other seeds."""


class ValueRangeWarning(UserWarning):
    """Images of 16 bits use few of them, so that hardly any grey levels are left of 8."""


class EmptyClassWarning(UserWarning):
    """A class has a share in the target of a selection, and no sample is predicted to be of it."""
