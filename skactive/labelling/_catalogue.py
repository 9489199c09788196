"""The catalogue: what is in the folder, kept up to date in small pieces."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skactive._file_locks import locked
from skactive.labelling._database import Database
from skactive.labelling._files import DIGEST, File, Refused, digest, walk
from skactive.labelling._matching import Known, match
from skactive.labelling._shares import groups_of, share_out

# Rows per transaction: a person who presses a key waits for no more than one of these.
PIECE = 500


@dataclass
class Scan:
    """What a scan found: numbers of files, and those that were left out, with the reason."""

    total: int = 0
    new: int = 0
    renamed: int = 0
    changed: int = 0
    missing: int = 0
    refused: list[Refused] = field(default_factory=list)


def scan(
    database: Database,
    folder: Path,
    n_test: int | None = None,
    progress: Callable[[int, int], Any] = lambda done, todo: None,
) -> Scan:
    """Bring the catalogue up to date with the folder.

    A file that was renamed or moved is known again by its content, and keeps its labels. One whose
    content has changed keeps them too, and is proposed for review.

    Where another process is scanning, it waits for that. `progress` is called with numbers of
    files, of 0 while they are counted; what it raises ends the scan between two transactions.
    """
    with locked(database.home / "scan.lock"):
        return _scan(database, folder, n_test, progress)


def _scan(
    database: Database, folder: Path, n_test: int | None, progress: Callable[[int, int], Any]
) -> Scan:
    refused: list[Refused] = []
    _drop_old_digests(database)
    found = match(
        _known(database), _files(folder, refused, progress), lambda path: _digest(folder, path)
    )
    missing = {i for (i,) in database.read("SELECT id FROM image WHERE state = 'missing'")}
    _lose(database, [i for i in found.lost if i not in missing])
    _find(database, [i for i in found.same if i in missing])
    _touch(database, found.touched)
    _change(database, found.changed)
    _move(database, found.moved)
    _add(database, found.new, n_test, progress)
    new, renamed, changed = len(found.new), len(found.moved), len(found.changed)
    total = len(found.same) + len(found.touched) + new + renamed + changed
    return Scan(total, new, renamed, changed, len(found.lost), refused)


def _drop_old_digests(database: Database) -> None:
    """Forget digests of another kind than today's, which would be taken for changes."""
    if database.get("digest") == str(DIGEST):
        return
    with database.writing() as connection:
        connection.execute("UPDATE image SET digest = NULL")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('digest', ?)", (str(DIGEST),))


def _files(
    folder: Path, refused: list[Refused], progress: Callable[[int, int], Any]
) -> Iterator[File]:
    """Go through the files; note those that are left out."""
    for n, file in enumerate(walk(folder)):
        if n % PIECE == 0:
            progress(n, 0)
        if isinstance(file, File):
            yield file
        else:
            refused.append(file)


def _known(database: Database) -> dict[str, Known]:
    """Return what the catalogue knows, by path; read in pieces, which hold nobody up."""
    found: dict[str, Known] = {}
    last = 0
    while rows := database.read(
        "SELECT path, id, bytes, mtime_ns, digest FROM image WHERE id > ? ORDER BY id LIMIT ?",
        last,
        PIECE,
    ):
        found.update((path, Known(*rest)) for path, *rest in rows)
        last = rows[-1][1]
    return found


def _digest(folder: Path, path: str) -> str | None:
    """Return a file's digest, or None if it cannot be read."""
    try:
        return digest(folder / path)
    except OSError:
        return None


def _lose(database: Database, ids: list[int]) -> None:
    for piece in pieces([(i,) for i in ids]):
        with database.writing() as connection:
            connection.executemany("UPDATE image SET state = 'missing' WHERE id = ?", piece)


def _find(database: Database, ids: list[int]) -> None:
    for piece in pieces([(i,) for i in ids]):
        with database.writing() as connection:
            connection.executemany("UPDATE image SET state = 'ok' WHERE id = ?", piece)


def _touch(database: Database, rows: list[tuple[int, File]]) -> None:
    """Note new times; where no digest says that the content is the same, it is read anew."""
    for piece in pieces([(file.mtime_ns, i) for i, file in rows]):
        with database.writing() as connection:
            connection.executemany(
                "UPDATE image SET mtime_ns = ?, state = 'ok',"
                " cached = CASE WHEN digest IS NULL THEN 0 ELSE cached END WHERE id = ?",
                piece,
            )


def _change(database: Database, rows: list[tuple[int, File]]) -> None:
    """Note the new content of files that were changed in place; labels of the old are in doubt."""
    for piece in pieces(rows):
        with database.writing() as connection:
            for i, file in piece:
                connection.execute(
                    "UPDATE image SET bytes = ?, mtime_ns = ?, digest = NULL, cached = 0,"
                    " state = 'ok' WHERE id = ?",
                    (file.bytes, file.mtime_ns, i),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO suspicion SELECT ?, 0, NULL"
                    " WHERE EXISTS (SELECT 1 FROM label WHERE image = ?)",
                    (i, i),
                )


def _move(database: Database, rows: list[tuple[int, File]]) -> None:
    """Give rows their new paths, by way of others, since they may have changed places.

    If it is ended in between, the next scan knows them by their content again.
    """
    for piece in pieces(rows):
        with database.writing() as connection:
            for i, _ in piece:
                connection.execute("UPDATE image SET path = '?' || id WHERE id = ?", (i,))
    for piece in pieces(rows):
        with database.writing() as connection:
            for i, file in piece:
                _make_way(connection, file.path)
                connection.execute(
                    "UPDATE image SET path = ?, mtime_ns = ?, state = 'ok' WHERE id = ?",
                    (file.path, file.mtime_ns, i),
                )


def _make_way(connection: Any, path: str) -> None:
    """Rename the row of a lost file at whose path there is another now."""
    connection.execute("UPDATE image SET path = path || '?' || id WHERE path = ?", (path,))


def _add(
    database: Database, files: list[File], n_test: int | None, progress: Callable[[int, int], Any]
) -> None:
    """Add files to the catalogue, in a random order: people are asked for the first ones already.

    The share for measuring is drawn of them too.
    """
    if not files and n_test is None:
        return
    n_known = database.count("SELECT COUNT(*) FROM image")
    groups = groups_of(files, n_known + len(files))
    test = share_out(database, groups.values(), n_test)
    files = sorted(files)
    random.Random(f"{database.get('seed')} files").shuffle(files)
    done = 0
    for piece in pieces(files):
        rows = [
            (*file, groups[file.path], "test" if groups[file.path] in test else "pool")
            for file in piece
        ]
        with database.writing() as connection:
            connection.executemany(
                'INSERT INTO image (path, bytes, mtime_ns, "group", share) VALUES (?, ?, ?, ?, ?)',
                rows,
            )
        done += len(rows)
        progress(done, len(files))


def fingerprint(database: Database, folder: Path, n: int = PIECE) -> int:
    """Compute the digests of up to n files that have none; return how many there were.

    Only with them is a file known again under another name, so this is done early, and in pieces
    behind the person's back: first for those that have labels, which would be lost.
    """
    rows: list[tuple] = []
    for are in ("IN", "NOT IN"):
        rows += database.read(
            "SELECT id, path FROM image WHERE digest IS NULL AND state != 'missing'"
            f" AND id {are} (SELECT image FROM label) LIMIT ?",
            n - len(rows),
        )
    found = [(_digest(folder, path) or "", i) for i, path in rows]
    with database.writing() as connection:
        connection.executemany("UPDATE image SET digest = ? WHERE id = ?", found)
    return len(rows)


def pieces(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Split rows into lists of a length that makes a short transaction."""
    rows = list(rows)
    for start in range(0, len(rows), PIECE):
        yield rows[start : start + PIECE]
