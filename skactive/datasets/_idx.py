"""The IDX format of MNIST: a magic number, the dimensions, the bytes.

torchvision's reader serves its own downloads only: it refuses files whose md5 differs from the
one it knows, and a recompressed gzip file differs although its content is the same.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from skactive.datasets._bunch import Split, check_split
from skactive.datasets._sources import damaged

_UNSIGNED_BYTE = 0x08
_IMAGE_SHAPE = (28, 28)
_N_CLASSES = 10
_SPLITS = ("train", "t10k")


def _names(split: str) -> tuple[str, str]:
    return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"


def _find(folder: Path, name: str) -> Path | None:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            return file
    return None


def missing_idx(folder: Path) -> list[str]:
    """Return the names of the four files that the folder has neither plain nor gzipped."""
    names = [name for split in _SPLITS for name in _names(split)]
    return [f"{name}[.gz]" for name in names if _find(folder, name) is None]


def _content(file: Path) -> bytes:
    if file.suffix != ".gz":
        return file.read_bytes()
    try:
        with gzip.open(file) as stream:
            return stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(file, f"it cannot be decompressed ({error})") from error


def read_idx(file: Path, item_shape: tuple[int, ...]) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    file : Path
        The file, gzipped if its name ends in ".gz".
    item_shape : tuple of int
        The shape of one item: (28, 28) for images, () for labels.

    Returns
    -------
    ndarray of shape (n_items, *item_shape) and dtype uint8
        The items.

    Raises
    ------
    DatasetError
        If the magic number, the dimensions or the length are not as they should be.
    """
    content = _content(file)
    n_dims = 1 + len(item_shape)
    start = 4 + 4 * n_dims
    if len(content) < start:
        raise damaged(
            file,
            f"it is truncated: expected a header of {start} bytes, found {len(content)} bytes",
        )
    magic, *shape = struct.unpack(f">{1 + n_dims}I", content[:start])
    expected_magic = _UNSIGNED_BYTE << 8 | n_dims
    if magic != expected_magic:
        raise damaged(
            file, f"expected the magic number 0x{expected_magic:08x}, found 0x{magic:08x}"
        )
    if tuple(shape[1:]) != item_shape:
        raise damaged(file, f"expected items of shape {item_shape}, found {tuple(shape[1:])}")
    expected = start + math.prod(shape)
    if len(content) != expected:
        how = "truncated" if len(content) < expected else "too long"
        raise damaged(file, f"it is {how}: expected {expected} bytes, found {len(content)} bytes")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def read_idx_folder(folder: Path) -> tuple[Split, Split]:
    """Read the four files of a folder that has them all: the training and the test split."""
    train, test = (_read_split(folder, split) for split in _SPLITS)
    return train, test


def _read_split(folder: Path, split: str) -> Split:
    images, labels = (_find(folder, name) or folder / name for name in _names(split))
    X, y = read_idx(images, _IMAGE_SHAPE), read_idx(labels, ())
    return check_split(f"The pair {images}, {labels.name}", X, y, _N_CLASSES)
