"""What files held when they were read: their content's key, by path, size and times."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from skactive._file_locks import locked

# A file that was changed so short a time before it was read may be changed again without a trace:
# file systems count in steps of up to two seconds.
_YOUNG = 2_000_000_000

_Traces = tuple[int, int, int]


class FileTable:
    """Keys of files, in FOLDER/files.jsonl, a line for each; the last one of a file is valid.

    Paths are noted as seen from the folder: both can be moved together. A line that a kill has cut
    off, or a table that is deleted, costs that files are read again for their keys, no more.

    The time of the content alone tells little: what copies, unpacks or synchronises files sets it
    as it was elsewhere, and a link may point to another file of the same age. So it is noted with
    that of the file's last change of any kind, which only the system sets.

    Parameters
    ----------
    folder : Path
        Where the table is.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "files.jsonl"
        self._root = os.path.abspath(folder)
        self._known: dict[str, tuple[_Traces, bytes]] = {}
        self._folders: dict[str, str] = {}
        self._read = 0
        self._new: list[str] = []

    def lookup(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the keys of files, None where one is new, has changed or is not there."""
        return [self._lookup(path) for path in paths]

    def _lookup(self, path: str) -> bytes | None:
        try:
            stat = os.stat(path)
        except OSError:
            return None
        traces, key = self._known.get(self._name(path), (None, None))
        return key if traces == traces_of_file(stat) else None

    def note(self, path: str, stat: os.stat_result, key: bytes) -> None:
        """Note a file that was read, unless it is too young for its time to tell of changes."""
        if time.time_ns() - stat.st_mtime_ns < _YOUNG:
            return
        name, traces = self._name(path), traces_of_file(stat)
        self._known[name] = traces, key
        self._new.append(json.dumps([name, *traces, key.hex()]))

    def write(self) -> None:
        """Write what was noted."""
        if not self._new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = "".join(f"\n{line}\n" for line in self._new)  # also after half a line
        with locked(self.path.parent / "lock"), open(self.path, "a", encoding="utf-8") as file:
            file.write(content)
        self._new = []

    def refresh(self) -> None:
        """Read what others have written since."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._read:  # somebody has deleted it
            self._known, self._read = {}, 0
        if size == self._read:
            return
        with open(self.path, "rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        for line in whole.splitlines():
            try:
                name, size, written, changed, key = json.loads(line)
                self._known[name] = (int(size), int(written), int(changed)), bytes.fromhex(key)
            except (ValueError, TypeError):  # half a line, or none
                continue

    def _name(self, path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            try:
                self._folders[folder] = os.path.relpath(folder or os.curdir, self._root)
            except ValueError:  # on another drive of Windows
                self._folders[folder] = os.path.abspath(folder)
        return os.path.join(self._folders[folder], name)


def traces_of_file(stat: os.stat_result) -> _Traces:
    """Return what changes with a file's content."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
