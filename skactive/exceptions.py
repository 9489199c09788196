"""The exceptions and warnings that are skactive's own."""

__all__ = [
    "BatchSizeWarning",
    "DatasetError",
    "FailedRunWarning",
    "ResultsMismatchError",
    "SelectionError",
    "TwoStageWarning",
    "UnreadableFileError",
    "UnreadableFileWarning",
    "UnsupportedEstimatorError",
]


class UnsupportedEstimatorError(TypeError):
    """A query strategy was given an estimator that it cannot use."""


class DatasetError(OSError):
    """The files of a data set are missing, incomplete or damaged."""


class ResultsMismatchError(ValueError):
    """Stored results come from another configuration than the one to be continued."""


class SelectionError(ValueError):
    """A query strategy returned something that is not a selection from its pool."""


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
