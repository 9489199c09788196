"""The part of a pool of files that can be read."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from skactive._pool import Pool
from skactive._progress import progress_bar
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import UnreadableFileWarning
from skactive.strategies.base._learner import skipping_reader

_AT_ONCE = 4096
_NAMED = 3


def readable_part(given: Any, pool: Pool, owner: object) -> Pool:
    """Return the part of a pool that a reader that skips files can read.

    Parameters
    ----------
    given : object
        What holds the Pipeline, or several that may; see `skipping_reader`. Where there is none, or
        the pool has been looked through already, it is returned as it is.
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
    reader = None if pool.readable else skipping_reader(given)
    if reader is None:
        return pool
    n_pool = len(pool)
    mask = np.empty(n_pool, dtype=bool)
    with progress_bar(
        f"{owner_name(owner)}: looking for broken files", "file", n_pool, True
    ) as bar:
        for start in range(0, n_pool, _AT_ONCE):
            block = slice(start, min(start + _AT_ONCE, n_pool))
            mask[block] = reader.readable(pool[block])
            bar.update(block.stop - block.start)
    positions, broken = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(positions):
        got = Description(f"{n_pool} that cannot be read")
        remedy = "With errors='raise' the reader tells why."
        raise invalid("X_pool", owner, "a pool with files that can be read", got, remedy)
    if len(broken):
        names = ", ".join(repr(str(name)) for name in pool[broken[:_NAMED]])
        more = ", …" if len(broken) > _NAMED else ""
        warnings.warn(
            f"Files of X_pool that cannot be read are never chosen; there are {len(broken)}: "
            f"{names}{more}. Remove or replace them.",
            UnreadableFileWarning,
            stacklevel=3,
        )
    return replace(pool.part(positions), readable=True)
