"""What a pool of many files is cut into, and how the files of each kind are read."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skactive._optional import import_optional
from skactive.estimators._read_image import read_image
from skactive.exceptions import DatasetError, UnreadableFileError


@dataclass(frozen=True)
class Block:
    """A run of samples in a shard.

    Parameters
    ----------
    uri : str
        The shard: a file, or the folder of image files.
    start, stop : int
        Which of its samples.
    etag : str
        What tells that it has changed.
    names : tuple of str, default=()
        Of a folder of image files these, as seen from there.
    """

    uri: str
    start: int
    stop: int
    etag: str
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Shards(ABC):
    """How shards of a kind are read; what they were opened for is kept, a few shards long."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""

    @property
    def dtype(self) -> str:
        """The type of its numbers."""
        return "|u1"

    @abstractmethod
    def read(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """Return some samples of a block, (n, *shape)."""

    def run(self, block: Block, start: int, stop: int) -> np.ndarray:
        """Return samples of a block that follow each other, (stop - start, *shape)."""
        return self.read(block, np.arange(start, stop))

    def readable(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """Return which of some samples can be read, (n,), bool."""
        return np.ones(len(rows), dtype=bool)

    def keys(self, block: Block, rows: np.ndarray) -> list[str]:
        """Return the names of some samples."""
        name = os.path.basename(block.uri)
        return [f"{name}:{block.start + row}" for row in rows.tolist()]


@dataclass(frozen=True)
class NpyShards(Shards):
    """Files that numpy.save has written; each is a run of samples."""

    row_shape: tuple[int, ...]
    row_dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return self.row_shape

    @property
    def dtype(self) -> str:
        """The type of its numbers."""
        return self.row_dtype

    def count(self, uri: str) -> int:
        """Return the number of rows of a file, or raise if they are not as those of the first."""
        rows = _mapped(uri, etag_of(uri))
        if (rows.shape[1:], rows.dtype.str) != (self.shape, self.dtype):
            raise DatasetError(
                f"The rows of {uri!r} have the shape {rows.shape[1:]} and the dtype {rows.dtype}, "
                f"those of the first shard {self.shape} and {np.dtype(self.dtype)}.",
                "The shards of a pool must be alike.",
            )
        return len(rows)

    def read(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """Return some rows; those that follow each other as they lie in the file, read-only."""
        if (np.diff(rows) == 1).all():
            return self.run(block, int(rows[0]), int(rows[-1]) + 1)
        return _mapped(block.uri, block.etag)[block.start + rows]

    def run(self, block: Block, start: int, stop: int) -> np.ndarray:
        """Return rows that follow each other as they lie in the file, read-only."""
        return _mapped(block.uri, block.etag)[block.start + start : block.start + stop]


@dataclass(frozen=True)
class ImageShards(Shards):
    """Shards of encoded images, each of which is brought to one size when it is read.

    Parameters
    ----------
    size : tuple of (int, int)
        Height and width.
    mode : {"RGB", "L"}
        Colour, or grey values.
    """

    size: tuple[int, int]
    mode: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image."""
        height, width = self.size
        return (height, width, 3) if self.mode == "RGB" else (height, width)

    @abstractmethod
    def contents(self, block: Block, rows: np.ndarray) -> Sequence[bytes]:
        """Return some images as they are stored."""

    def read(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """Decode some images."""
        images = np.empty((len(rows), *self.shape), np.uint8)
        for i, content in enumerate(self.contents(block, rows)):
            try:
                images[i] = read_image(io.BytesIO(content), self.size, self.mode).values
            except MemoryError:
                raise
            except Exception as error:  # a decoder raises whatever it stumbles over
                (key,) = self.keys(block, rows[i : i + 1])
                raise UnreadableFileError(
                    f"ShardedPool cannot read {key!r} in {block.uri!r}: {error or repr(error)}. "
                    "Remove or replace it; errors='skip' lets queries pass over such images."
                ) from error
        return images

    def readable(self, block: Block, rows: np.ndarray) -> np.ndarray:
        """Return which of some images can be decoded; JPEGs are, at an eighth of their size."""
        return np.array([self._decodes(one) for one in self.contents(block, rows)], dtype=bool)

    def _decodes(self, content: bytes) -> bool:
        try:
            read_image(io.BytesIO(content), (1, 1), self.mode)
        except MemoryError:
            raise
        except Exception:  # as above
            return False
        return True


@dataclass(frozen=True)
class FileShards(ImageShards):
    """Image files: a block is a run of them."""

    def contents(self, block: Block, rows: np.ndarray) -> list[bytes]:
        """Read some files."""
        _check(block)
        found = []
        for row in rows:
            with open(os.path.join(block.uri, block.names[row]), "rb") as file:
                found.append(file.read())
        return found

    def keys(self, block: Block, rows: np.ndarray) -> list[str]:
        """Return the paths of files, as seen from the folder that has all."""
        return [block.names[row] for row in rows]


@dataclass(frozen=True)
class ParquetShards(ImageShards):
    """Parquet files with a column of encoded images.

    Parameters
    ----------
    image : str
        That column: bytes, or a struct with bytes in it.
    key : str or None
        The column with the names.
    """

    image: str
    key: str | None

    def count(self, uri: str) -> int:
        """Return the number of rows of a file, or raise if it lacks a column."""
        etag = etag_of(uri)
        with _parquet(uri, etag) as file:
            columns = file.schema_arrow.names
        for parameter, name in (("image", self.image), ("key", self.key)):
            if name is not None and name not in columns:
                raise DatasetError(
                    f"{uri!r} has no column {name!r}; its columns are {columns}.",
                    f"Pass {parameter}=, the name of one of them.",
                )
        return int(_group_edges(uri, etag)[-1])

    def contents(self, block: Block, rows: np.ndarray) -> list[bytes]:
        """Return the bytes of some images."""
        found = self._column(block, rows, self.image)
        return [one["bytes"] if isinstance(one, dict) else one for one in found]

    def keys(self, block: Block, rows: np.ndarray) -> list[str]:
        """Return what the column `key` says, or number the rows."""
        if self.key is None:
            return super().keys(block, rows)
        return [str(one) for one in self._column(block, rows, self.key)]

    def _column(self, block: Block, rows: np.ndarray, name: str) -> list[Any]:
        rows = block.start + rows
        edges = _group_edges(block.uri, block.etag)
        groups = np.searchsorted(edges, rows, side="right") - 1
        found: list[Any] = [None] * len(rows)
        for group in np.unique(groups).tolist():
            values = _row_group(block.uri, block.etag, group, name)
            for i in np.flatnonzero(groups == group).tolist():
                found[i] = values[int(rows[i] - edges[group])].as_py()
        return found


@dataclass(frozen=True)
class TarShards(ImageShards):
    """Tar files as webdataset writes them.

    Parameters
    ----------
    image : str
        The suffixes of the files that are images, with semicolons between them.
    """

    image: str

    def count(self, uri: str) -> int:
        """Return the number of images in a tar, which is read from header to header."""
        return len(_members(uri, etag_of(uri), self.image))

    def contents(self, block: Block, rows: np.ndarray) -> list[bytes]:
        """Read some files of a tar."""
        members = _members(block.uri, block.etag, self.image)
        found = []
        with open(block.uri, "rb") as file:
            for row in rows:
                _, start, size = members[block.start + row]
                file.seek(start)
                found.append(file.read(size))
        return found

    def keys(self, block: Block, rows: np.ndarray) -> list[str]:
        """Return the names of samples: those of their files, up to the first dot."""
        members = _members(block.uri, block.etag, self.image)
        return [members[block.start + row][0] for row in rows]


def etag_of(*paths: str | os.PathLike[str]) -> str:
    """Return what tells that files have changed: by their sizes and times."""
    stats = [os.stat(path) for path in paths]
    told = ",".join(f"{stat.st_size:x}-{stat.st_mtime_ns:x}" for stat in stats)
    return told if len(paths) == 1 else hashlib.sha256(told.encode()).hexdigest()[:32]


def blocks_of(uri: str, n: int, size: int) -> list[Block]:
    """Return the blocks of a shard of n samples, of `size` of them at most."""
    etag = etag_of(uri)
    return [Block(uri, start, min(start + size, n), etag) for start in range(0, n, size)]


def blocks_of_files(paths: Sequence[str], size: int) -> list[Block]:
    """Return the blocks of image files, of `size` of them at most."""
    root = os.path.commonpath([os.path.dirname(path) for path in paths])
    blocks = []
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        names = tuple(Path(path).relative_to(root).as_posix() for path in some)
        blocks.append(Block(root, start, start + len(some), etag_of(*some), names))
    return blocks


def _check_etag(uri: str, etag: str, *paths: str) -> None:
    if etag_of(*paths) != etag:
        raise DatasetError(
            f"{uri!r} has changed since the pool was made.", "Make the ShardedPool again."
        )


# What was opened last; the etags are asked for when a file is opened, not at each batch.


@lru_cache(8)
def _check(block: Block) -> None:
    _check_etag(block.uri, block.etag, *(os.path.join(block.uri, name) for name in block.names))


@lru_cache(8)
def _mapped(uri: str, etag: str) -> np.ndarray:
    _check_etag(uri, etag, uri)
    return np.asarray(map_rows(uri))  # which libraries know better than its subclass


def map_rows(uri: str) -> np.ndarray:
    """Return the rows of a .npy file, which stay there, or raise if it has none."""
    remedy = "Pass .npy files of numbers, a row for each sample, as numpy.save writes them."
    try:
        rows = np.load(uri, mmap_mode="r")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:  # no numbers, cut short, a folder
        raise DatasetError(f"{uri!r} cannot be read: {str(error).rstrip('.')}.", remedy) from error
    if not isinstance(rows, np.ndarray) or not rows.ndim:  # an archive, a single number
        raise DatasetError(f"{uri!r} has no rows.", remedy)
    return rows.view(np.ndarray)  # whose slices are made faster


@lru_cache(8)
def _members(uri: str, etag: str, suffixes: str) -> list[tuple[str, int, int]]:
    """Return the name, the place and the size of each image in a tar."""
    _check_etag(uri, etag, uri)
    found = []
    try:
        with tarfile.open(uri, "r:") as tar:
            for member in tar:
                folder, name = os.path.split(member.name)
                stem, _, suffix = name.partition(".")
                if member.isfile() and suffix.lower() in suffixes.split(";"):
                    found.append((os.path.join(folder, stem), member.offset_data, member.size))
    except (tarfile.TarError, IsADirectoryError) as error:  # compressed, empty, cut short
        raise DatasetError(
            f"{uri!r} cannot be read as a tar file: {str(error).rstrip('.')}.",
            "Pass tar files that are not compressed; decompress those that are.",
        ) from error
    return found


def _parquet(uri: str, etag: str) -> Any:
    _check_etag(uri, etag, uri)
    parquet = import_optional("pyarrow.parquet", "shards", "ShardedPool.from_parquet")
    try:
        return parquet.ParquetFile(uri)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DatasetError(
            f"{uri!r} cannot be read as Parquet: {str(error).rstrip('.')}.",
            "Pass Parquet files, and whole ones.",
        ) from error


@lru_cache(8)
def _group_edges(uri: str, etag: str) -> np.ndarray:
    """Return where the row groups of a file begin, and where the last one ends."""
    with _parquet(uri, etag) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    return np.cumsum([0, *sizes])


@lru_cache(2)
def _row_group(uri: str, etag: str, group: int, column: str) -> Any:
    with _parquet(uri, etag) as file:
        return file.read_row_group(group, columns=[column])[column]
