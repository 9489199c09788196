"""Rows of equal size in a file that only grows, found by keys; a kill does no harm."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_KEY = 32
_CHECK = 8
_RECORD = _KEY + _CHECK


class RowFile:
    """Rows in FOLDER/rows.bin, and in FOLDER/index.bin what is known of each: its key.

    Rows are written first, and brought to the disk before the index says that they are there. What
    a kill leaves behind them is cut off by the next one that writes. Processes take turns in
    writing, by a lock on FOLDER/lock, and see what others have written.

    Parameters
    ----------
    folder : Path
        Where the files are; made when the first row is written.
    shape : tuple of int
        The shape of a row.
    dtype : str
        Its type.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: str) -> None:
        self.folder = folder
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._row_bytes = int(np.prod(shape)) * self.dtype.itemsize
        self._places: dict[bytes, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def refresh(self) -> None:
        """Read what others have written since."""
        n_rows = _size(self.folder / "rows.bin") // max(self._row_bytes, 1)
        if n_rows < len(self._places):  # somebody has deleted them
            self._places = {}
        start = len(self._places)
        try:
            with open(self.folder / "index.bin", "rb") as file:
                file.seek(start * _RECORD)
                records = file.read((n_rows - start) * _RECORD)
        except FileNotFoundError:
            self._places = {}
            return
        for place in range(start, start + len(records) // _RECORD):
            record = records[(place - start) * _RECORD : (place - start + 1) * _RECORD]
            key = record[:_KEY]
            if record != _record(key, place):
                return
            self._places[key] = place

    def append(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Add rows, (n, *shape), under keys; those that are there already are left out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            self.refresh()
            new = {key: i for i, key in enumerate(keys) if key not in self._places}
            if not new:
                return
            start = len(self._places)
            content = np.ascontiguousarray(rows[list(new.values())], self.dtype)
            _write(self.folder / "rows.bin", start * self._row_bytes, content.data.cast("B"))
            records = b"".join(_record(key, start + i) for i, key in enumerate(new))
            _write(self.folder / "index.bin", start * _RECORD, records)
            self._places |= {key: start + i for i, key in enumerate(new)}

    def places(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return in which rows these keys are, int64."""
        return np.array([self._places[key] for key in keys], dtype=np.int64)

    def rows(self) -> np.ndarray:
        """Return all rows, as a memory map of which copies are changed, but not the file."""
        if not self._places:
            return np.empty((0, *self.shape), self.dtype)
        shape = (len(self._places), *self.shape)
        return np.memmap(self.folder / "rows.bin", self.dtype, "c", shape=shape)

    def take(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the rows of keys: where they are in one piece, as they lie in the memory map."""
        places, rows = self.places(keys), self.rows()
        if len(places) and (np.diff(places) == 1).all():
            return rows[places[0] : places[-1] + 1]
        return np.asarray(rows[places])


def _record(key: bytes, place: int) -> bytes:
    """Return a key with what tells that the record is whole, and where it belongs."""
    check = hashlib.blake2b(key + place.to_bytes(8, "little"), digest_size=_CHECK)
    return key + check.digest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(path: Path, start: int, content: Any) -> None:
    """Write a file's end anew from a position on, down to the disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    with open(descriptor, "r+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END) != start:
            file.truncate(start)
        file.seek(start)
        left = memoryview(content)
        while len(left):
            left = left[file.write(left) :]
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until nobody else has the lock, and hold it; the system takes it from the dead."""
    with open(path, "ab") as file:
        _lock(file.fileno(), True)
        try:
            yield
        finally:
            _lock(file.fileno(), False)


def _lock(descriptor: int, take: bool) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        how: Any = msvcrt
        os.lseek(descriptor, 0, os.SEEK_SET)
        how.locking(descriptor, how.LK_LOCK if take else how.LK_UNLCK, 1)
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
