"""Which images are kept for measuring: a share drawn at random, by group."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from skactive.labelling._files import File

_MINUTE = 60 * 10**9
# More files of one folder in one minute were copied then, not photographed; and so were those that
# are more than a tenth of all.
_BURST = 30


def groups_of(files: Iterable[File], n_files: int) -> dict[str, str]:
    """Return the group of each file by path: those that one burst of a camera may have made.

    A group is a folder and a minute. Where more than thirty files of a folder have the same minute,
    or more than a tenth of all `n_files`, it is that of a copy and says nothing: each file is a
    group of its own.
    """
    minutes = {file.path: _minute(file) for file in files}
    sizes = Counter(minutes.values())
    return {
        path: minute if sizes[minute] <= min(_BURST, n_files // 10) else f"{minute}/{path}"
        for path, minute in minutes.items()
    }


def _minute(file: File) -> str:
    return f"{file.path.rpartition('/')[0]}|{file.mtime_ns // _MINUTE}"


def place(seed: str, group: str) -> str:
    """Return where a group stands in the random order of a seed; smaller ones are drawn first."""
    return hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=8).hexdigest()


def draw_test(groups: Iterable[str], n: int, seed: str) -> str:
    """Return the place up to which groups are for measuring, so that they have n images or more.

    Groups that come later are drawn in the same way, so that their share is the same.
    """
    sizes = Counter(groups)
    drawn, last = 0, ""
    for where, size in sorted((place(seed, group), size) for group, size in sizes.items()):
        if drawn >= n:
            break
        drawn, last = drawn + size, where
    return last
