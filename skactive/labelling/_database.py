"""The file `.skactive/labels.sqlite`: its tables, and connections that lose nothing."""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skactive.labelling._errors import invalid

HOME = ".skactive"
DATABASE = "labels.sqlite"
VERSION = 1

# Events are only ever added; `label` says what holds now, and can be made again from them.
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest TEXT,
    "group" TEXT NOT NULL,
    share TEXT NOT NULL CHECK (share IN ('pool', 'test')),
    state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'unreadable', 'missing')),
    cached INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS image_of ON image (share, state);
CREATE TABLE IF NOT EXISTS class (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,
    position INTEGER NOT NULL,
    merged_into INTEGER REFERENCES class (id)
);
CREATE TABLE IF NOT EXISTS labeller (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    image INTEGER NOT NULL REFERENCES image (id),
    labeller INTEGER NOT NULL REFERENCES labeller (id),
    kind TEXT NOT NULL CHECK (kind IN ('label', 'skip', 'unsure', 'undo')),
    class INTEGER REFERENCES class (id),
    undoes TEXT,
    via TEXT NOT NULL
        CHECK (via IN ('test', 'random', 'query', 'second', 'review', 'import')),
    shown_class INTEGER REFERENCES class (id),
    shown_p REAL,
    round INTEGER,
    ms INTEGER,
    at INTEGER NOT NULL,
    CHECK ((kind = 'label') = (class IS NOT NULL)),
    CHECK ((kind = 'undo') = (undoes IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS event_of ON event (image, labeller);
CREATE INDEX IF NOT EXISTS event_by ON event (labeller, at);
CREATE INDEX IF NOT EXISTS event_undone ON event (undoes) WHERE undoes IS NOT NULL;
CREATE TABLE IF NOT EXISTS label (
    image INTEGER NOT NULL,
    labeller INTEGER NOT NULL,
    kind TEXT NOT NULL,
    class INTEGER,
    via TEXT NOT NULL,
    at INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (image, labeller)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (
    image INTEGER PRIMARY KEY,
    rank REAL NOT NULL,
    round INTEGER,
    via TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS queue_order ON queue (rank);
CREATE TABLE IF NOT EXISTS lease (
    image INTEGER PRIMARY KEY,
    labeller INTEGER NOT NULL,
    tab TEXT NOT NULL,
    until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS round (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    ended REAL,
    strategy TEXT NOT NULL,
    n_labels INTEGER NOT NULL,
    n_test INTEGER,
    n_right INTEGER,
    balanced REAL,
    low REAL,
    high REAL,
    agreement REAL,
    fit_s REAL,
    query_s REAL,
    seed INTEGER NOT NULL,
    error TEXT
);
CREATE TABLE IF NOT EXISTS prediction (
    image INTEGER NOT NULL,
    round INTEGER NOT NULL,
    class INTEGER NOT NULL,
    p REAL NOT NULL,
    PRIMARY KEY (image, round)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS prediction_of ON prediction (round);
CREATE TABLE IF NOT EXISTS suspicion (
    image INTEGER PRIMARY KEY, score REAL NOT NULL, proposed INTEGER
);
CREATE TABLE IF NOT EXISTS worker (
    id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER, beat REAL, doing TEXT, done INTEGER,
    todo INTEGER
);
"""
# Shared memory between processes, which WAL needs, does not work on these.
_NETWORKED = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|afpfs|webdav|davfs2?|ncpfs|lustre|gpfs|ceph|gfs2?|ocfs2"
    r"|glusterfs|beegfs|virtiofs|vboxsf|prl_fs|drvfs|fuse(blk)?\..*|osxfuse|macfuse"
)


class Database:
    """One connection to the file of labels, shared by the threads of a process.

    Parameters
    ----------
    folder : Path
        The folder of images; its `.skactive` is made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / HOME
        self.home.mkdir(exist_ok=True)
        self.path = self.home / DATABASE
        self._lock = threading.RLock()
        # The learning curve, and what it was computed from; see `_results.rounds`.
        self.curve: tuple[object, list[Any]] | None = None
        # Autocommit: transactions begin where `writing` says so.
        self.connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        self.networked = is_networked(self.home)
        self.journal = self._open_journal()
        self._make_tables()

    def _open_journal(self) -> str:
        """Set the journal, and have each commit reach the disk; return the journal's mode."""
        wanted = "truncate" if self.networked else "wal"
        (mode,) = self.connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
        if mode != wanted:  # a file system without shared memory that is not in the list
            (mode,) = self.connection.execute("PRAGMA journal_mode = truncate").fetchone()
        self.connection.execute("PRAGMA synchronous = FULL")
        if mode != "wal":
            warnings.warn(
                f"{self.home} is on a network drive, or another file system where SQLite's "
                "write-ahead log does not work. Labels are kept by another journal, which is "
                "slower: a copy of the folder on a disk of this machine would not need it.",
                stacklevel=4,
            )
        return str(mode)

    def _make_tables(self) -> None:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise invalid(
                "folder",
                "LabelSession",
                f"one whose labels have the format {VERSION} or older",
                version,
                "A newer skactive wrote them: use that one.",
            )
        if version < VERSION:
            self.connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
            self.connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is on disk when it ends, or has never been."""
        with self._lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def read(self, sql: str, *values: object) -> list[tuple]:
        """Return the rows of a query."""
        with self._lock:
            return self.connection.execute(sql, values).fetchall()

    def value(self, sql: str, *values: object) -> object:
        """Return the first column of the first row, or None where there is none."""
        with self._lock:
            row = self.connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def count(self, sql: str, *values: object) -> int:
        """Return a number that a query counts; 0 where it finds nothing."""
        found = self.value(sql, *values)
        return found if isinstance(found, int) else 0

    def get(self, key: str) -> str | None:
        """Return a setting, or None."""
        found = self.value("SELECT value FROM meta WHERE key = ?", key)
        return None if found is None else str(found)

    def set(self, key: str, value: str) -> None:
        """Keep a setting."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the connection; what was written stays."""
        with self._lock:
            self.connection.close()


def is_networked(folder: Path) -> bool:
    """Return whether a folder is on another machine's disk, or is shared with one."""
    folder = folder.resolve()
    if sys.platform == "win32":
        return _networked_drive(folder)
    found = ""
    best = -1
    for place, kind in _mounts():
        if len(place) > best and (folder == Path(place) or Path(place) in folder.parents):
            best, found = len(place), kind
    return _NETWORKED.fullmatch(found) is not None


def _networked_drive(folder: Path) -> bool:
    import ctypes

    remote = 4  # DRIVE_REMOTE
    windll = getattr(ctypes, "windll")  # noqa: B009  # on Windows alone, as mypy knows
    return str(folder).startswith("\\\\") or windll.kernel32.GetDriveTypeW(folder.anchor) == remote


def _mounts() -> list[tuple[str, str]]:
    """Return where file systems are mounted, and their kinds."""
    try:
        text = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return _mounts_of_macos()
    rows = [line.split(" ") for line in text.splitlines()]
    return [(re.sub(r"\\(\d{3})", _octal, row[1]), row[2]) for row in rows if len(row) > 2]


def _octal(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))


def _mounts_of_macos() -> list[tuple[str, str]]:
    import subprocess

    try:
        text = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return re.findall(r"^.* on (/.*) \((\w+)[,)]", text, re.MULTILINE)
