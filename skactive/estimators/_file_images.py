"""Images of many files, as an array whose parts are read when they are looked at."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

# An array of more bytes than these is not made before somebody asks for it.
_AT_ONCE = 2**25


def images_of(
    read: Callable[[Any], np.ndarray],
    paths: Sequence[Any] | np.ndarray,
    shape: tuple[int, ...],
    dtype: Any = np.uint8,
) -> Any:
    """Return the images of files: an array, or a FileImages where that would be large.

    Parameters
    ----------
    read : callable
        Takes a list of paths, returns their images, (n, *shape).
    paths : sequence of N str, or ndarray of shape (N,)
        The files, or numbers that `read` takes instead of them, as an array.
    shape : tuple of int
        The shape of one image.
    dtype : numpy.dtype, default=uint8
        The type of its numbers.

    Returns
    -------
    ndarray of shape (N, *shape), or FileImages
        The images.
    """
    if is_large(len(paths), shape, dtype):
        return FileImages(read, paths, shape, dtype)
    return read(_listed(paths)) if len(paths) else np.empty((0, *shape), dtype)


def is_large(n: int, shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether n images are more than an array is made of before somebody asks for it."""
    return n * math.prod(shape) * np.dtype(dtype).itemsize > _AT_ONCE


class FileImages(NDArrayOperatorsMixin):
    """Images as an array that is read in parts: rows are read when they are taken.

    It has the shape, the items and the methods of an array, and NumPy's functions take it; but what
    needs all of its values reads all files, each time. `numpy.asarray` does that once.

    Parameters
    ----------
    read : callable
        Takes a list of paths, returns their images, (n, *shape).
    paths : sequence of N str, or ndarray of shape (N,)
        The files, or numbers that `read` takes instead of them, as an array.
    shape : tuple of int
        The shape of one image.
    dtype : numpy.dtype, default=uint8
        The type of its numbers.
    """

    _slices_are_arrays = False

    def __init__(
        self,
        read: Callable[[Any], np.ndarray],
        paths: Sequence[Any] | np.ndarray,
        shape: tuple[int, ...],
        dtype: Any = np.uint8,
    ) -> None:
        self._read = read
        self._paths = paths if isinstance(paths, np.ndarray) else np.asarray(paths, dtype=object)
        self.dtype = np.dtype(dtype)
        self.shape = (len(paths), *shape)
        self.ndim = len(self.shape)

    def with_slices_as_arrays(self) -> FileImages:
        """Return the same images, but with slices that are arrays of NumPy, however large."""
        same = object.__new__(type(self))
        vars(same).update(vars(self), _slices_are_arrays=True)
        return same

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):  # of a slice of rows only these are read
            rows, rest = index[:1], (slice(None), *index[1:])
            if rows and isinstance(rows[0], slice):
                return np.asarray(self[rows[0]])[rest]
            return np.asarray(self)[index]
        if isinstance(index, (int, np.integer)) or _is_one(index):
            return self._read([self._paths[operator.index(index)]])[0]
        if index is None or index is Ellipsis:
            return np.asarray(self)[index]
        if not isinstance(index, slice):  # as NumPy's, an empty list takes no row
            index = np.asarray(index) if np.size(index) else np.empty(0, np.intp)
        rows = images_of(self._read, self._paths[index], self.shape[1:], self.dtype)
        return np.asarray(rows) if self._slices_are_arrays else rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("The images are in files: an array of them is a copy. Pass copy=None.")
        images = self._read(_listed(self._paths))
        return images if dtype is None else images.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_read_whole, inputs), **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return func(*_read_whole(args), **{key: _read_whole(kwargs[key]) for key in kwargs})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __repr__(self) -> str:
        return f"<images of {len(self)} files, of shape {self.shape}, read when they are looked at>"


def _is_one(index: Any) -> bool:
    """Whether an array or tensor without axes stands for one row."""
    return getattr(index, "ndim", None) == 0 and "int" in str(index.dtype)


def _listed(paths: Sequence[Any] | np.ndarray) -> Any:
    if isinstance(paths, np.ndarray):
        return paths.tolist() if paths.dtype == object else paths
    return list(paths)


def _read_whole(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_read_whole, value))
    return np.asarray(value) if isinstance(value, FileImages) else value
