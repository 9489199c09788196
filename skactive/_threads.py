"""The number of threads, which numbers may depend on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def fixed_threads(n: int, libraries: ThreadpoolController | None = None) -> Iterator[None]:
    """Let torch and the linear algebra of NumPy use `n` threads inside the block.

    Where several threads are inside at a time, libraries that have one number for the whole process
    take that of the thread that entered last of those; when all have left, it is as it was.

    Parameters
    ----------
    n : int
        The number.
    libraries : ThreadpoolController or None, default=None
        The libraries that are loaded; None looks for them, which takes some milliseconds.

    Yields
    ------
    None
    """
    libraries = ThreadpoolController() if libraries is None else libraries
    block = _BLOCKS.enter(n, libraries)
    try:
        yield
    finally:
        _BLOCKS.leave(block, libraries)


class _Number(NamedTuple):
    """The number of threads of a library, before anybody changed it."""

    before: int
    set: Callable[[int], object]
    of_thread: bool  # whether each thread that calls it has a number of its own


class _Blocks:
    """Those that some thread is inside of, and what is set by them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[object, tuple[int, int]] = {}  # thread and number, the last one last
        self._numbers: dict[str, _Number] = {}

    def enter(self, n: int, libraries: ThreadpoolController) -> object:
        """Set a number, and return what stands for this block."""
        block = object()
        with self._lock:
            for name, number in _numbers(libraries):
                self._numbers.setdefault(name, number)
            self._inside[block] = threading.get_ident(), n
            for number in self._numbers.values():
                number.set(n)
            _let_go(libraries)
        return block

    def leave(self, block: object, libraries: ThreadpoolController) -> None:
        """Set the number of those who are still inside, or that from before."""
        with self._lock:
            del self._inside[block]
            everywhere = [n for _, n in self._inside.values()]
            here = [n for thread, n in self._inside.values() if thread == threading.get_ident()]
            for number in self._numbers.values():
                left = here if number.of_thread else everywhere
                number.set(left[-1] if left else number.before)
            _let_go(libraries)
            if not self._inside:
                self._numbers = {}


_BLOCKS = _Blocks()


def _numbers(libraries: ThreadpoolController) -> Iterator[tuple[str, _Number]]:
    """Yield the numbers as they are now; those of a thread last, lest others overwrite them."""
    for library in sorted(libraries.lib_controllers, key=lambda lib: lib.user_api == "openmp"):
        if library.num_threads is not None:  # else it has no way to ask, or to set
            of_thread = library.user_api == "openmp"
            yield library.filepath, _Number(library.num_threads, library.set_num_threads, of_thread)
    yield "torch", _Number(torch.get_num_threads(), torch.set_num_threads, True)


def _let_go(libraries: ThreadpoolController) -> None:
    """Let other threads set OpenBLAS, too: of threadpoolctl 3.8 the last to set it keeps it."""
    with libraries.limit(limits=None):
        pass
