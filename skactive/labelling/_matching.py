"""Which file of today is which of yesterday."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from skactive.labelling._files import File


class Known(NamedTuple):
    """What the catalogue knows of a file."""

    id: int
    bytes: int
    mtime_ns: int
    digest: str | None


@dataclass
class Matching:
    """What became of the files that were known, and which are new."""

    same: list[int] = field(default_factory=list)
    touched: list[tuple[int, File]] = field(default_factory=list)
    moved: list[tuple[int, File]] = field(default_factory=list)
    changed: list[tuple[int, File]] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    new: list[File] = field(default_factory=list)


def match(
    known: dict[str, Known], files: Iterable[File], digest: Callable[[str], str | None]
) -> Matching:
    """Match what is known, by path, with what there is; `digest` reads a file, where needed.

    What is matched is taken out of `known`, and of a file that is as it was only the id is kept:
    there are many of these. A file is the same one if path, size and time agree, or path and
    content. Of the others, content decides (a file that was renamed or moved, or two that changed
    places), then the path (one that was changed in place).
    """
    found = Matching()
    left = {}
    for file in files:
        path, row = file.path, known.get(file.path)
        if row is not None and row[1:3] == file[1:]:
            found.same.append(row.id)
            del known[path]
        elif row is not None and row.bytes == file.bytes and row.digest in {None, digest(path)}:
            found.touched.append((row.id, file))
            del known[path]
        else:
            left[path] = file
    _match_contents(found, known, left, digest)
    for path in [path for path in known if path in left]:
        found.changed.append((known.pop(path).id, left.pop(path)))
    found.lost = [row.id for row in known.values()]
    found.new = list(left.values())
    return found


def _match_contents(
    found: Matching,
    known: dict[str, Known],
    left: dict[str, File],
    digest: Callable[[str], str | None],
) -> None:
    """Move those that agree in content from `known` and `left` into what is found."""
    sizes = {row.bytes for row in known.values() if row.digest}
    by_digest: dict[str | None, list[str]] = {}
    for path in sorted(path for path, file in left.items() if file.bytes in sizes):
        by_digest.setdefault(digest(path), []).append(path)
    for path, row in sorted(known.items()):
        same = by_digest.get(row.digest, []) if row.digest else []
        if same:
            found.moved.append((row.id, left.pop(same.pop(0))))
            del known[path]
