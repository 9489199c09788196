"""A progress bar for what takes long, and silence for what does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

# Seconds before a bar appears.
_QUICK = 5.0
_SHOWN: ContextVar[bool] = ContextVar("_SHOWN", default=True)


@contextmanager
def no_progress() -> Iterator[None]:
    """Show no bar inside the block, as in a worker, whose progress the caller shows."""
    token = _SHOWN.set(False)
    try:
        yield
    finally:
        _SHOWN.reset(token)


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
        disable=None if shown and _SHOWN.get() else True,
        file=sys.stderr,
    )
