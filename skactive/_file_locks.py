"""Locks on files, which the system takes from processes that have died."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What systems say of files whose file system has no locks.
_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until nobody else has the lock, and hold it; where the file system has any.

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

    On Windows, whose locks would keep others from reading, and on file systems without locks, as
    some of clusters are, nothing is locked.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
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
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
