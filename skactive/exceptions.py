"""The exceptions and warnings that are skactive's own."""

__all__ = [
    "BatchSizeWarning",
    "DatasetError",
    "ResultsMismatchError",
    "SelectionError",
    "TwoStageWarning",
    "UnfinishedRunsWarning",
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


class UnreadableFileWarning(UserWarning):
    """Files of a pool cannot be read, and are never chosen."""


class BatchSizeWarning(UserWarning):
    """The device ran out of memory, and the batch size was lowered."""


class TwoStageWarning(UserWarning):
    """A selection did not fit in memory, and was made in two stages: the picks may differ."""


class UnfinishedRunsWarning(UserWarning):
    """Runs are cut short, and are left out; or strategies are compared that have other seeds."""
