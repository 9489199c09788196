"""A progress bar for a pass over samples that takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from skactive._pool import Pool
from skactive._progress import progress_bar
from skactive._validation import owner_name
from skactive.strategies.base._inputs import Inputs

_Samples = TypeVar("_Samples", Pool, Inputs)


@contextmanager
def counted(what: object, samples: _Samples, shown: bool = True) -> Iterator[_Samples]:
    """Show how many of some samples have been read inside the block, if it takes long.

    Parameters
    ----------
    what : object
        The strategy, or what is being done.
    samples : Pool or Inputs
        The samples.
    shown : bool, default=True
        False shows nothing.

    Yields
    ------
    Pool or Inputs
        The same samples. Those that are read again are not counted again.
    """
    with progress_bar(owner_name(what), "sample", len(samples), shown) as bar:

        def read(so_far: int) -> None:
            if so_far > bar.n:
                bar.update(so_far - bar.n)

        yield replace(samples, read=read)
