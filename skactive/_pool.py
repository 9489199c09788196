"""The samples that a query chooses from, read from whatever holds them when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from skactive._batches import check_not_iterable_dataset, check_plain, n_rows, read_rows
from skactive._validation import invalid, owner_name


@dataclass(frozen=True, eq=False)
class Pool:
    """Some samples of a pool, as a sequence; `np.asarray` asks for all of them.

    Parameters
    ----------
    source : array-like, Tensor, Dataset or sequence of N samples
        What holds them.
    positions : ndarray of int64, of shape (n,)
        Which of its samples, in this order.
    name : str, default="X_pool"
        What messages call the source.
    owner : str, default="skactive"
        Whose parameter it is, for the messages.
    vectors : Tensor of shape (N, D) or None, default=None
        Embeddings of the source's samples that exist already.
    readable : bool, default=False
        Whether unreadable files have been left out; if so, they are left out of its parts, too.
    read : callable or None, default=None
        Told at each batch how many of the samples have been read.
    work : Path or None, default=None
        Of a pool made of blocks: where what is found of each is kept; None reads it in one piece.
    """

    source: Any
    positions: np.ndarray
    name: str = "X_pool"
    owner: str = "skactive"
    vectors: Tensor | None = None
    readable: bool = False
    read: Callable[[int], Any] | None = None
    work: Path | None = None

    @classmethod
    def of(cls, X: Any, name: str = "X_pool") -> Pool:
        """Return samples as a pool; one that is a pool already, as it is."""
        return X if isinstance(X, Pool) else cls(X, np.arange(n_rows(X)), name)

    @classmethod
    def checked(cls, X: Any, name: str, owner: object) -> Pool:
        """Return samples as a pool once one of them has been looked at, or raise."""
        if isinstance(X, Pool):
            return X
        must = "an array, tensor, sequence or Dataset of samples"
        check_not_iterable_dataset(name, owner, X)
        if isinstance(X, (str, bytes, os.PathLike)):
            raise invalid(name, owner, must, X, "Pass a list of the files themselves.")
        if isinstance(X, dict):
            raise invalid(name, owner, must, X, "Pass the array that has the images.")
        check_plain(name, X, owner)
        try:
            pool = cls(X, np.arange(n_rows(X)), name, owner_name(owner))
        except TypeError:
            raise invalid(name, owner, must, X) from None
        if not hasattr(X, "__getitem__") and not hasattr(X, "tocsr"):
            remedy = "Pass what it reads from, such as the dataset of a DataLoader."
            raise invalid(name, owner, must, X, remedy)
        try:
            pool[np.arange(min(1, len(pool)))]  # before work begins on all of them
        except (TypeError, KeyError, IndexError, NotImplementedError) as error:
            must = "a pool whose samples can be fetched by position"
            remedy = f"It raised {error!r}. Make it a torch Dataset, or an array."
            raise invalid(name, owner, must, X, remedy) from error
        return pool

    @property
    def embeddings(self) -> Tensor | None:
        """Embeddings of these samples that exist already, (n, D), or None."""
        if self.vectors is None or self.is_whole:
            return self.vectors
        return self.vectors[self.positions]

    @cached_property
    def is_whole(self) -> bool:
        """Whether these are all samples of the source, in its order."""
        return len(self) == n_rows(self.source) and bool((np.diff(self.positions) == 1).all())

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int | slice | np.ndarray) -> Any:
        if isinstance(index, (int, np.integer)):  # one sample, and so one after the other
            one = self[range(len(self))[index] + np.arange(1)]
            return one.iloc[0] if hasattr(one, "iloc") else one[0]
        found = read_rows(self.source, self._at(index), self.name, self.owner)
        if self.read is not None and isinstance(index, slice):  # not the few samples of a check
            self.read(range(*index.indices(len(self))).stop)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def part(self, index: slice | np.ndarray) -> Pool:
        """Return some of these samples; none of them is read."""
        return replace(self, positions=self.positions[index])

    def plain(self) -> Any:
        """Return the source, if that is all there is to know, and it takes arrays of positions.

        What is read in parts gives arrays wherever it is sliced, as a pool does.
        """
        takes_positions = hasattr(self.source, "dtype") or hasattr(self.source, "iloc")
        nothing_else = self.vectors is None and not self.readable and self.work is None
        if not (takes_positions and nothing_else and self.is_whole):
            return self
        as_arrays = getattr(self.source, "with_slices_as_arrays", None)
        return self.source if as_arrays is None else as_arrays()

    def _at(self, index: slice | np.ndarray) -> slice | np.ndarray:
        """Return where samples are in the source: a slice, whose rows are views, of a run."""
        at = self.positions[index]
        if isinstance(index, slice) and len(at) and (np.diff(at) == 1).all():
            return slice(int(at[0]), int(at[-1]) + 1)
        return at


def pools_of(X_pool: Any, X_labelled: Any) -> list[Pool]:
    """Return the pool, and the labelled samples as another one if there are any."""
    pools = [Pool.of(X_pool)]
    if X_labelled is not None:
        name, is_array = "X_labelled", hasattr(X_labelled, "dtype")  # of which rows can be taken
        known = (
            Pool.of(X_labelled, name) if is_array else Pool.checked(X_labelled, name, "skactive")
        )
        pools += [known] if len(known) else []
    return pools
