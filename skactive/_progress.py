"""A progress bar for what takes long, and silence for what does not."""

from __future__ import annotations

import sys

from tqdm import tqdm

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
