"""The part of a pool of files that can be read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from skactive._pool import Pool
from skactive._progress import progress_bar
from skactive._validation import Description, invalid
from skactive.exceptions import UnreadableFileWarning
from skactive.strategies.base._by_blocks import by_blocks
from skactive.strategies.base._learner import skipping_reader, skips

_AT_ONCE = 4096
_WHAT = "Looking for broken files"
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
    mask = by_blocks(partial(_looked_through, can_be_read), pool, 1, _WHAT)
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


def _looked_through(can_be_read: Callable[[Pool], np.ndarray], pool: Pool) -> np.ndarray:
    mask = np.empty(len(pool), dtype=bool)
    with progress_bar(_WHAT, "file", len(pool), True) as bar:
        for start in range(0, len(pool), _AT_ONCE):
            part = pool.part(slice(start, start + _AT_ONCE))
            mask[start : start + _AT_ONCE] = can_be_read(part)
            bar.update(len(part))
    return mask


def _look(given: Any, pool: Pool) -> Callable[[Pool], np.ndarray] | None:
    """Return what says which samples of a pool can be read; None where none is skipped."""
    if skips(pool.source):  # such as a ShardedPool of images
        return _read_by_itself
    reader = skipping_reader(given)
    return None if reader is None else partial(_read_by, reader)


def _read_by_itself(pool: Pool) -> np.ndarray:
    return pool.source.readable(pool.positions)


def _read_by(reader: Any, pool: Pool) -> np.ndarray:
    return reader.readable(pool[:])


def _names(pool: Pool, where: np.ndarray) -> Any:
    return pool.source.keys(pool.positions[where]) if skips(pool.source) else pool[where]
