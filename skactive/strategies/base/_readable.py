"""The part of a pool of files that can be read."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skactive._batches import n_rows, take_rows
from skactive._sub_pool import SubPool
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import UnreadableFileWarning
from skactive.strategies.base._progress import progress_bar

_AT_ONCE = 4096
_NAMED = 3


def readable_positions(learner: Any, X_pool: Any, owner: object) -> np.ndarray | None:
    """Return which samples a reader that skips files can read; None if there is no such reader.

    A reader is the first step of a Pipeline, has `errors="skip"`, and says with `readable(X)`
    what it can read. It is looked for in modAL learners, Committees and searches too, fitted or
    not. For a pool that has been checked already, None is returned.

    Parameters
    ----------
    learner : object
        What holds the Pipeline, or several that may.
    X_pool : array-like of N samples
        The pool.
    owner : object
        The strategy, for the error message.

    Returns
    -------
    ndarray of int or None
        Positions in the pool, increasing.

    Raises
    ------
    InvalidParameterError
        If no file can be read.

    Warns
    -----
    UnreadableFileWarning
        If some cannot; names the first.
    """
    reader = _skipping_reader(learner)
    if reader is None or (isinstance(X_pool, SubPool) and X_pool.readable):
        return None
    samples = getattr(X_pool, "samples", X_pool)
    n_pool = n_rows(X_pool)
    mask = np.empty(n_pool, dtype=bool)
    with progress_bar(
        f"{owner_name(owner)}: looking for broken files", "file", n_pool, True
    ) as bar:
        for start in range(0, n_pool, _AT_ONCE):
            block = slice(start, min(start + _AT_ONCE, n_pool))
            mask[block] = reader.readable(take_rows(samples, block))
            bar.update(block.stop - block.start)
    positions, broken = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(positions):
        got = Description(f"{n_pool} that cannot be read")
        remedy = "With errors='raise' the reader tells why."
        raise invalid("X_pool", owner, "a pool with files that can be read", got, remedy)
    if len(broken):
        names = ", ".join(repr(str(name)) for name in take_rows(samples, broken[:_NAMED]))
        more = ", …" if len(broken) > _NAMED else ""
        warnings.warn(
            f"Files of X_pool that cannot be read are never chosen; there are {len(broken)}: "
            f"{names}{more}. Remove or replace them.",
            UnreadableFileWarning,
            stacklevel=3,
        )
    return positions


def _skipping_reader(learner: Any) -> Any:
    members = learner if isinstance(learner, (list, tuple)) else None
    members = getattr(learner, "learner_list", members)
    if members is not None:
        found = (_skipping_reader(member) for member in members)
        return next((reader for reader in found if reader is not None), None)
    if hasattr(learner, "query_strategy") and hasattr(learner, "estimator"):
        return _skipping_reader(learner.estimator)
    if hasattr(learner, "best_estimator_"):
        return _skipping_reader(learner.best_estimator_)
    if isinstance(learner, Pipeline):
        return _skipping_reader(learner.steps[0][1])
    skips = getattr(learner, "errors", None) == "skip" and hasattr(learner, "readable")
    return learner if skips else None
