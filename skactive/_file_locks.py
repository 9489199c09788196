"""Locks on files, which the system takes from processes that have died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until nobody else has the lock, and hold it.

    Parameters
    ----------
    path : Path
        The file, made where there is none; it stays.

    Yields
    ------
    None
    """
    with open(path, "ab") as file:
        _wait(file.fileno(), True)
        try:
            yield
        finally:
            _wait(file.fileno(), False)


def lock_at_once(descriptor: int) -> bool:
    """Take the lock of an open file until it is closed; return False if another has it.

    On Windows, whose locks would keep others from reading, nothing is locked.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(descriptor: int, take: bool) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        how: Any = msvcrt
        os.lseek(descriptor, 0, os.SEEK_SET)
        how.locking(descriptor, how.LK_LOCK if take else how.LK_UNLCK, 1)
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
