"""Keep memory that a batch has freed for the next one, instead of returning it to the system.

glibc returns large blocks as soon as they are freed, and the system fills each page with zeros
when it hands it out again. For a network whose layers pass megabytes to each other that happens at
every batch. On a CPU it costs a narrow ResNet-18 a tenth of training and more than a quarter of
prediction; with small networks it may be nothing, or most. `python -m benchmarks allocator`
measures it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

# Parameters of glibc's mallopt: the size from which a block is mapped by itself, and given back
# when freed; and how much may lie free at the end of the heap before it is given back.
_TRIM, _MMAP = -1, -3
_INSIDE = {_MMAP: 2**28, _TRIM: 2**30}
# Where glibc's own adjustment ends in a program that frees a block of 32 MB. What was set before
# cannot be read.
_OUTSIDE = {_MMAP: 2**25, _TRIM: 2**26}
# After this many seconds there is much to give back. A short call would spend its time waiting
# for memory to be handed out again.
_LONG = 1.0
# Users who set these have made their own choice.
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")

_kept: ContextVar[bool] = ContextVar("memory is kept", default=False)


@contextmanager
def memory_kept() -> Iterator[None]:
    """Have glibc keep up to 1 GB of freed memory inside the block.

    It is given back at the end of a block that took a second or more, and left for the next one
    after a shorter one. Does nothing without glibc, or where the environment already configures
    it.

    Yields
    ------
    None
    """
    libc = _glibc()
    if libc is None or _kept.get() or any(name in os.environ for name in _SETTINGS):
        yield
        return
    _kept.set(True)
    start = time.monotonic()
    _set(libc, _INSIDE)
    try:
        yield
    finally:
        _kept.set(False)
        _set(libc, _OUTSIDE)
        if time.monotonic() - start >= _LONG:
            libc.malloc_trim(ctypes.c_size_t(0))


def _set(libc: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
