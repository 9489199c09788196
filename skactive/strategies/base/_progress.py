"""A progress bar for what takes long, and silence for what does not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from skactive._validation import owner_name

_Result = TypeVar("_Result")

# Seconds before a bar appears.
_QUICK = 5.0


def progress_bar(what: str, unit: str, total: int, shown: bool) -> tqdm:
    """Return a bar on standard error that appears after some seconds, if that is a terminal.

    Parameters
    ----------
    what : str
        What is being done.
    unit : str
        What is counted.
    total : int
        Total number.
    shown : bool
        False never shows one.

    Returns
    -------
    tqdm
        The bar; it vanishes when closed.
    """
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        delay=_QUICK,
        leave=False,
        dynamic_ncols=True,
        disable=None if shown else True,
        file=sys.stderr,
    )


def shown(
    owner: object, total: int, blocks: Iterable[tuple[slice, _Result]]
) -> Iterator[tuple[slice, _Result]]:
    """Hand on the blocks of a pass over the pool, with a progress bar if it takes long.

    Parameters
    ----------
    owner : object
        The strategy.
    total : int
        Number of samples.
    blocks : iterable of (slice, object)
        What `map_batches` yields.

    Yields
    ------
    tuple of slice and object
        The same.
    """
    with progress_bar(owner_name(owner), "sample", total, True) as bar:
        for block, result in blocks:
            yield block, result
            bar.update(block.stop - block.start)
