"""Samples, whatever container they come in, by position and in batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from skactive._items import for_torch, holds_image, stacked
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import BatchSizeWarning

_Result = TypeVar("_Result")


def n_rows(X: Any) -> int:
    """Return the number of samples of an array, tensor, data frame, sequence or Dataset."""
    if isinstance(X, Dataset):  # a shape of its own may be that of an image
        return len(X)  # type: ignore[arg-type]
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else len(X)


def take_rows(
    X: Any,
    index: slice | np.ndarray | Sequence[int],
    parameter: str = "X",
    owner: object = "skactive",
) -> Any:
    """Return some samples of X, as the same kind of container; a Dataset gives a stacked tensor.

    Parameters
    ----------
    X : array, tensor, sparse matrix, DataFrame, sequence or torch Dataset
        The samples. Items of a Dataset are the inputs, tuples that begin with them, or dicts that
        have them, see `input_of`.
    index : slice or array of int
        Which ones, in which order.
    parameter, owner : str and object
        What X is called, and whose parameter it is, where its items are no images.

    Returns
    -------
    object
        The samples; of a memmap only these are read.
    """
    if hasattr(X, "iloc"):
        return X.iloc[index]
    if hasattr(X, "tocsr") and not hasattr(X, "__array__"):
        return X.tocsr()[index]
    if isinstance(X, Tensor):
        return X[index if isinstance(index, slice) else torch.as_tensor(np.asarray(index))]
    # HuggingFace's data sets have a shape, and give columns where slices are asked for.
    of_inputs = isinstance(X, Dataset) or hasattr(X, "column_names")
    if not of_inputs and not isinstance(X, Sequence):
        if isinstance(X, np.ndarray) or isinstance(index, slice):
            return X[index]
        # Files that are like arrays, such as h5py's, give rows once each, in increasing order.
        wanted = np.asarray(index, np.intp)
        if (np.diff(wanted) > 0).all():
            return X[wanted]
        rows, at = np.unique(wanted, return_inverse=True)
        return X[rows][at]
    positions = range(*index.indices(len(X))) if isinstance(index, slice) else index
    items = [X[int(i)] for i in positions]
    of_inputs = of_inputs or (bool(items) and holds_image(items[0]))
    return stacked(items, parameter, owner, positions) if of_inputs else items


def read_rows(*of: Any) -> Any:
    """Return what `take_rows` does; of what is read in parts, an array of NumPy."""
    rows = take_rows(*of)
    return np.asarray(rows) if hasattr(rows, "with_slices_as_arrays") else rows


def check_not_iterable_dataset(parameter: str, owner: object, X: Any) -> None:
    """Raise if X is an IterableDataset, whose samples cannot be picked by position."""
    if isinstance(X, IterableDataset):
        raise invalid(
            parameter,
            owner,
            "a pool whose samples can be fetched by position",
            X,
            "Use a map-style Dataset (with __len__ and __getitem__), or an array.",
        )


def check_plain(parameter: str, X: Any, owner: object) -> None:
    """Raise where numbers that are masked, or that a sparse tensor leaves out, would be lost."""
    if isinstance(X, Tensor) and X.layout != torch.strided:
        remedy = "Convert it with X.to_dense()."
        raise invalid(parameter, owner, "a dense tensor", Description(f"layout {X.layout}"), remedy)
    if np.ma.is_masked(X):
        got = Description(f"{np.ma.count_masked(X)} masked values")
        remedy = "Fill them in, by X.filled(0), say, or leave such samples out."
        raise invalid(parameter, owner, "an array without masked values", got, remedy)


def map_batches(
    function: Callable[[Any, int], _Result], X: Any, batch_size: int
) -> Iterator[tuple[slice, _Result]]:
    """Apply a function to blocks of samples; halve the block when the device's memory is full.

    Parameters
    ----------
    function : callable
        Takes a block of samples (see `take_rows`) and the position of its first one.
    X : array, tensor, DataFrame, sequence or torch Dataset
        The samples, read block by block.
    batch_size : int
        Samples per block.

    Yields
    ------
    tuple of slice and object
        The positions of the block, and what the function returned for it.

    Warns
    -----
    BatchSizeWarning
        After an out-of-memory error; names the batch size that worked.
    """
    total, start, halved = n_rows(X), 0, False
    while start < total:
        block, result = slice(start, min(start + batch_size, total)), None
        try:
            result = function(read_rows(X, block), start)
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
        if result is None:  # outside the except block, which keeps the failed tensors alive
            batch_size, halved = batch_size // 2, True
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        if halved:
            warnings.warn(
                f"The device ran out of memory; batch_size={batch_size} worked. "
                f"Pass batch_size={batch_size} to avoid the retry.",
                BatchSizeWarning,
                stacklevel=2,
            )
            halved = False
        yield block, result
        start = block.stop


def one_behind(items: Iterable[_Result]) -> Iterator[_Result]:
    """Hand on each item when the next one has been made.

    A CUDA device computes while Python goes on, until a result is looked at. So the next
    batch is read, prepared and handed over while the device is at this one.

    Parameters
    ----------
    items : iterable
        Items that should not be looked at before the next one is there.

    Yields
    ------
    object
        The same, in their order.
    """
    waiting: list[_Result] = []
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def as_tensor(X: Any) -> Tensor:
    """Return an array as a tensor that shares its memory wherever torch can share it.

    A network that overwrites its input would overwrite the array, or crash on a read-only memmap:
    what is handed to a network must be a copy, or go through an operation that makes one.
    """
    if isinstance(X, Tensor):
        return X.detach()
    X = np.asarray(X)
    if not (X.dtype.isnative and X.flags.c_contiguous and X.size):
        X = for_torch(X)  # else it would be as it is, and the call in vain
    with warnings.catch_warnings():
        # A read-only array is only ever read, see above.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X)


def check_finite(X: Any, owner: object, parameter: str = "X", where: int | np.ndarray = 0) -> None:
    """Raise if X holds NaN or infinity; reads it block by block, and integers not at all.

    `where` gives the positions of X's samples in what the user passed, for the message: all of
    them, or that of the first where they are consecutive.
    """
    if not as_tensor(X[:0]).is_floating_point():
        return
    for start in range(0, n_rows(X), 1024):
        x = as_tensor(X[start : start + 1024])
        if math.isfinite(x.sum()):  # then all are, and mostly this one pass is enough
            continue
        finite = torch.isfinite(x).flatten(1).all(1)
        if not bool(finite.all()):
            first = start + int((~finite).nonzero()[0, 0])
            first = where + first if isinstance(where, int) else int(where[first])
            raise ValueError(
                f"Input {parameter} of {owner_name(owner)} contains NaN or infinity, first in "
                f"sample {first}. Remove such samples, or fill them in."
            )
