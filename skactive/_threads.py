"""The number of threads, which numbers may depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def fixed_threads(n: int, libraries: ThreadpoolController | None = None) -> Iterator[None]:
    """Let torch and the linear algebra of NumPy use `n` threads inside the block.

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
    before = torch.get_num_threads()
    libraries = ThreadpoolController() if libraries is None else libraries
    with libraries.limit(limits=n):
        torch.set_num_threads(n)
        try:
            yield
        finally:
            torch.set_num_threads(before)
