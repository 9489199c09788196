"""The part of a pool of files that can be read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from skactive._pool import Pool
from skactive._progress import progress_bar
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import UnreadableFileWarning
from skactive.strategies.base._learner import skipping_reader, skips

_AT_ONCE = 4096
_NAMED = 3


def readable_part(given: Any, pool: Pool, owner: object) -> Pool:
    """Return the part of a pool that can be read, where a reader or the pool itself skips files.

    Parameters
    ----------
    given : object
        What holds the Pipeline, or several that may; see `skipping_reader`. Where there is none,
        and the pool does not skip files, or has been looked through, it is returned as it is.
    pool : Pool of N samples
        The pool.
    owner : object
        The strategy, for the error message.

    Returns
    -------
    Pool
        The part.

    Raises
    ------
    InvalidParameterError
        If no file can be read.

    Warns
    -----
    UnreadableFileWarning
        If some cannot; names the first.
    """
    can_be_read = None if pool.readable else _look(given, pool)
    if can_be_read is None:
        return pool
    n_pool = len(pool)
    mask = np.empty(n_pool, dtype=bool)
    with progress_bar(
        f"{owner_name(owner)}: looking for broken files", "file", n_pool, True
    ) as bar:
        for start in range(0, n_pool, _AT_ONCE):
            block = slice(start, min(start + _AT_ONCE, n_pool))
            mask[block] = can_be_read(block)
            bar.update(block.stop - block.start)
    positions, broken = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(positions):
        got = Description(f"{n_pool} that cannot be read")
        remedy = "With errors='raise' the reader tells why."
        raise invalid("X_pool", owner, "a pool with files that can be read", got, remedy)
    if len(broken):
        names = ", ".join(repr(str(name)) for name in _names(pool, broken[:_NAMED]))
        more = ", …" if len(broken) > _NAMED else ""
        warnings.warn(
            f"Files of X_pool that cannot be read are never chosen; there are {len(broken)}: "
            f"{names}{more}. Remove or replace them.",
            UnreadableFileWarning,
            stacklevel=3,
        )
    return replace(pool.part(positions), readable=True)


def _look(given: Any, pool: Pool) -> Callable[[slice], np.ndarray] | None:
    """Return what says which samples of a run can be read; None where none is skipped."""
    if skips(pool.source):  # such as a ShardedPool of images
        return lambda block: pool.source.readable(pool.positions[block])
    reader = skipping_reader(given)
    return None if reader is None else lambda block: reader.readable(pool[block])


def _names(pool: Pool, where: np.ndarray) -> Any:
    return pool.source.keys(pool.positions[where]) if skips(pool.source) else pool[where]
