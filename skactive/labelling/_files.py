"""The image files below a folder, and what tells one from another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What is looked at; what a file is says its content, when it is opened.
SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".jp2", ".avif"),
}
_ENDS = 16 * 1024


class File(NamedTuple):
    """An image file: its path in the folder with '/', its size in bytes, when it was written."""

    path: str
    bytes: int
    mtime_ns: int


class Refused(NamedTuple):
    """A file that was left out, and why."""

    path: str
    why: str


def walk(folder: Path) -> Iterator[File | Refused]:
    """Go through the image files below a folder, in any order.

    Hidden folders are left alone, as are links to folders and links to files elsewhere.
    """
    root = os.fspath(folder.resolve())
    waiting = [root]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            yield Refused(_relative(here, root), f"cannot be opened: {error.strerror}")
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    waiting.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                yield _look(entry, root)


def _look(entry: os.DirEntry[str], root: str) -> File | Refused:
    """Return a file, or why it is left out."""
    path = _relative(entry.path, root)
    try:
        path.encode()
    except UnicodeEncodeError:
        return Refused(ascii(path), "has a name that is not text")
    try:
        if entry.is_symlink() and inside(Path(root), path) is None:
            return Refused(path, "is a link out of the folder")
        if not entry.is_file():
            return Refused(path, "is not a file")
        found = entry.stat()
    except OSError as error:
        return Refused(path, f"cannot be opened: {error.strerror}")
    return File(path, found.st_size, found.st_mtime_ns)


def _relative(path: str, root: str) -> str:
    """Return what a path below the root has after it; `os.path.relpath` takes ten times as long."""
    return path.removeprefix(root).lstrip(os.sep).replace(os.sep, "/")


def inside(folder: Path, path: str) -> Path | None:
    """Return the real place of a file, or None if that is not in the folder."""
    root = folder.resolve()
    place = (root / path).resolve()
    return place if root in place.parents else None


def digest(path: Path) -> str:
    """Return what tells a file's content from others: its size, its beginning and its end.

    16 KiB of each, so that a folder of large photos need not be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found = hashlib.blake2b(str(size).encode(), digest_size=16)
        found.update(file.read(_ENDS))
        if size > _ENDS:
            file.seek(max(_ENDS, size - _ENDS))
            found.update(file.read(_ENDS))
    return found.hexdigest()
