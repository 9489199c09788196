"""The image files below a folder, and what tells one from another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What is looked at; what a file is says its content, when it is opened.
SUFFIXES = {
    *("jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp", "tif", "tiff"),
    *("ppm", "pgm", "pbm", "jp2", "avif"),
}
_PIECE, _PIECES = 16 * 1024, 16
# Of what `digest` looks at; others cannot be compared with it.
DIGEST = 2


class File(NamedTuple):
    """An image file: its path in the folder with '/', its size in bytes, when it was written."""

    path: str
    bytes: int
    mtime_ns: int


class Refused(NamedTuple):
    """A file that was left out, and why."""

    path: str
    why: str


def walk(folder: Path, linked: bool = False) -> Iterator[File | Refused]:
    """Go through the image files below a folder, in any order.

    Hidden files and folders are left alone, as are links to folders and, unless `linked`, links
    to files elsewhere.
    """
    root = folder.resolve()
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(root / here))
        except OSError as error:
            yield Refused(here.removesuffix("/"), f"cannot be opened: {error.strerror}")
            continue
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue  # such as ._IMG.jpg, what macOS knows of IMG.jpg
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{here}{name}/")
                continue
            _, dot, suffix = name.rpartition(".")
            if dot and suffix.lower() in SUFFIXES:
                yield _look(entry, root, here + name, linked)


def _look(entry: os.DirEntry[str], root: Path, path: str, linked: bool) -> File | Refused:
    """Return a file, or why it is left out."""
    try:
        if not path.isascii():
            path.encode()
    except UnicodeEncodeError:
        return Refused(ascii(path), "has a name that is not text")
    try:
        if not linked and entry.is_symlink() and inside(root, path) is None:
            return Refused(path, "is a link out of the folder")
        if not entry.is_file():
            return Refused(path, "is not a file")
        found = entry.stat()
    except OSError as error:
        return Refused(path, f"cannot be opened: {error.strerror}")
    return File(path, found.st_size, found.st_mtime_ns)


def inside(folder: Path, path: str) -> Path | None:
    """Return the real place of a file, or None if that is not in the folder."""
    root = folder.resolve()
    place = (root / path).resolve()
    return place if root in place.parents else None


def digest(path: Path) -> str:
    """Return what tells a file's content from others: its size, and what is in it.

    Of a file above 256 KiB it is 16 pieces of 16 KiB, evenly from its beginning to its end, so
    that a folder of large photos need not be read. An edit that keeps the size of a large file
    without compression, and is smaller than the gaps between these, is not seen.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found = hashlib.blake2b(str(size).encode(), digest_size=16)
        if size <= _PIECES * _PIECE:
            found.update(file.read())
            return found.hexdigest()
        for k in range(_PIECES):
            file.seek(k * (size - _PIECE) // (_PIECES - 1))
            found.update(file.read(_PIECE))
    return found.hexdigest()
