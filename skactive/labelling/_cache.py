"""Decoded images of one size in a file of `.skactive/cache`, which may be deleted at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skactive.estimators import ImageReader
from skactive.exceptions import UnreadableFileError
from skactive.labelling._database import Database
from skactive.labelling._files import inside

_AT_ONCE = 64


class StoredImages:
    """The images of a catalogue as an array: image i is row i, uint8, (size, size, 3).

    Parameters
    ----------
    database : Database
        The catalogue.
    folder : Path
        Where the files are.
    size : int
        Height and width in pixels.
    """

    def __init__(self, database: Database, folder: Path, size: int) -> None:
        self.database = database
        self.folder = folder
        self.size = size
        self.path = database.home / "cache" / f"images-{size}.u8"
        self._reader = ImageReader(size=(size, size), n_jobs=-1)

    def fill(
        self, ids: Sequence[int], progress: Callable[[int, int], Any] = lambda done, todo: None
    ) -> np.ndarray:
        """Read the files of these images that are not in the cache yet.

        Returns
        -------
        ndarray of int64
            Those of the ids whose images there are, in their order. That a file is unreadable or
            missing is noted in the catalogue.
        """
        images = self._open()
        there = self._cached(ids, "AND state = 'ok'")
        missing = [i for i in ids if i not in there]
        for start in range(0, len(missing), _AT_ONCE):
            piece = missing[start : start + _AT_ONCE]
            there |= self._read(piece, images)
            progress(min(start + _AT_ONCE, len(missing)), len(missing))
        return np.array([i for i in ids if i in there], dtype=np.int64)

    def rows(self, ids: Any) -> np.ndarray:
        """Return images that are in the cache, (n, size, size, 3).

        If somebody has deleted it meanwhile, they are read again.

        Raises
        ------
        UnreadableFileError
            If one of them cannot be read again.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        images = self._open()
        deleted = sorted({*wanted.tolist()} - self._cached(wanted.tolist()))
        if len(self.fill(deleted)) < len(deleted):
            raise UnreadableFileError(
                f"The images in {self.path.name!r} were deleted while they were used, and some of "
                "their files cannot be read any more."
            )
        return np.asarray(images[wanted])

    @property
    def images(self) -> np.ndarray:
        """All images, as a memory map; the rows of those that were not read are zeros."""
        return self._open()

    def _cached(self, ids: Sequence[int], and_: str = "") -> set[int]:
        these = "id IN (SELECT value FROM json_each(?))"
        rows = self.database.read(
            f"SELECT id FROM image WHERE {these} AND cached = ? {and_}",
            json.dumps([int(i) for i in ids]),
            self.size,
        )
        return {i for (i,) in rows}

    def _open(self) -> np.ndarray:
        """Open the file, as long as the catalogue needs it."""
        n = self.database.count("SELECT MAX(id) FROM image") + 1
        shape = (n, self.size, self.size, 3)
        if not self.path.exists():
            with self.database.writing() as connection:
                connection.execute("UPDATE image SET cached = 0 WHERE cached = ?", (self.size,))
            self.path.parent.mkdir(exist_ok=True)
            self.path.touch()
        n_bytes = int(np.prod(shape))
        if self.path.stat().st_size < n_bytes:
            with self.path.open("r+b") as file:
                file.truncate(n_bytes)
        return np.memmap(self.path, np.uint8, "r+", shape=shape)

    def _read(self, ids: list[int], images: np.ndarray) -> set[int]:
        """Read files into the rows of `images`; return the ids of those that could be read."""
        paths = [self._path(i) for i in ids]
        try:
            images[ids] = self._reader.transform(paths)
            states = dict.fromkeys(ids, "ok")
        except (UnreadableFileError, ValueError):  # one of them
            states = {i: self._read_one(i, p, images) for i, p in zip(ids, paths, strict=True)}
        if isinstance(images, np.memmap):
            images.flush()  # before the catalogue says that they are there
        with self.database.writing() as connection:
            connection.executemany(
                "UPDATE image SET state = ?, cached = ? WHERE id = ?",
                [(state, self.size * (state == "ok"), i) for i, state in states.items()],
            )
        return {i for i, state in states.items() if state == "ok"}

    def _path(self, image: int) -> str:
        path = str(self.database.value("SELECT path FROM image WHERE id = ?", image))
        return str(inside(self.folder, path) or "")  # "" cannot be opened

    def _read_one(self, image: int, path: str, images: np.ndarray) -> str:
        """Read one file; return its state."""
        if not Path(path).is_file():
            return "missing"
        try:
            images[image] = self._reader.transform([path])[0]
        except UnreadableFileError:
            return "unreadable"
        return "ok"
