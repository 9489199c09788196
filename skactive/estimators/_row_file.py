"""Rows of equal size in a file that only grows, found by keys; a kill does no harm."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skactive._file_locks import locked

_KEY = 32
_CHECK = 8
_RECORD = _KEY + _CHECK


class RowFile:
    """Rows in FOLDER/rows.bin, and in FOLDER/index.bin what is known of each: its key.

    Rows are written first, and brought to the disk before the index says that they are there. What
    a kill leaves behind them is cut off by the next one that writes. Processes take turns in
    writing, by a lock on FOLDER/lock, and see what others have written. Each record of the index
    has a digest of all up to it: the last one that is known tells whether they are the same files
    still, or others of that name.

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
        self._last = b""  # the last record that was read or written

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def refresh(self) -> None:
        """Read what others have written since."""
        n_rows = _size(self.folder / "rows.bin") // max(self._row_bytes, 1)
        last = max(len(self._places) - 1, 0)
        try:
            with open(self.folder / "index.bin", "rb") as file:
                file.seek(last * _RECORD)
                records = file.read(max(n_rows - last, 0) * _RECORD)
        except FileNotFoundError:
            records = b""
        if self._places and records[:_RECORD] != self._last:  # somebody has deleted them
            self._places, self._last = {}, b""
            self.refresh()
            return
        for start in range(len(self._last), len(records) - _RECORD + 1, _RECORD):
            record = records[start : start + _RECORD]
            if record != _record(record[:_KEY], self._last):
                return
            self._places[record[:_KEY]] = last + start // _RECORD
            self._last = record

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
            records = [self._last]
            for key in new:
                records.append(_record(key, records[-1]))
            _write(self.folder / "index.bin", start * _RECORD, b"".join(records[1:]))
            self._places |= {key: start + i for i, key in enumerate(new)}
            self._last = records[-1]

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


def _record(key: bytes, before: bytes) -> bytes:
    """Return a key with what tells that the record is whole, and which ones come before it."""
    return key + hashlib.blake2b(key + before[_KEY:], digest_size=_CHECK).digest()


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
