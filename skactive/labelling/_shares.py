"""Which images are kept for measuring: a share drawn at random, by group."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping

from skactive.labelling._database import Database
from skactive.labelling._files import File

N_TEST = 200
# Whether anybody was asked for an image, or anything was learned.
_BEGUN = """
SELECT EXISTS (SELECT 1 FROM queue) OR EXISTS (SELECT 1 FROM event)
    OR EXISTS (SELECT 1 FROM round)
"""

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


def draw_test(sizes: Mapping[str, int], n: int, seed: str) -> set[str]:
    """Return groups for measuring: in a random order, so many that they have n images or more.

    Parameters
    ----------
    sizes : mapping of str to int
        Images of each group that can be drawn.
    n : int
        Images that are wanted.
    seed : str
        Of the order.

    Returns
    -------
    set of str
    """
    found: set[str] = set()
    drawn = 0
    if n <= 0:
        return found
    for group in sorted(sizes, key=lambda group: place(seed, group)):
        found.add(group)
        drawn += sizes[group]
        if drawn >= n:
            break
    return found


def share_out(database: Database, groups: Iterable[str], n_test: int | None = None) -> set[str]:
    """Draw the share for measuring, and return the groups that belong to it.

    Until the first image is asked for, all are drawn anew. From then on each has its share for
    good: files that come later are drawn while there are too few, and those of a known group go
    where that is.

    Parameters
    ----------
    database : Database
        The catalogue.
    groups : iterable of str
        The group of each new file.
    n_test : int or None
        How many images are wanted from now on; None for what was said before, and at first 200, or
        a fifth of all if that is less.

    Returns
    -------
    set of str
    """
    new = Counter(groups)
    known = database.read(
        'SELECT "group", MAX(share), SUM(state = \'ok\') FROM image GROUP BY "group"'
    )
    total = sum(new.values()) + sum(n for _, _, n in known)
    with database.writing() as connection:
        seed = _seed(connection)
        wanted = _wanted(connection, n_test, total)
        (begun,) = connection.execute(_BEGUN).fetchone()
        if not begun:
            new.update({group: n for group, _, n in known})
            test = draw_test(new, wanted, seed)
            connection.execute(
                'UPDATE image SET share = CASE WHEN "group" IN (SELECT value FROM json_each(?))'
                " THEN 'test' ELSE 'pool' END",
                (json.dumps(sorted(test)),),
            )
            return test
    for group, _, _ in known:
        new.pop(group, None)
    fixed = {group for group, share, _ in known if share == "test"}
    held = sum(n for _, share, n in known if share == "test")
    return fixed | draw_test(new, wanted - held, seed)


def _seed(connection: sqlite3.Connection) -> str:
    """Return the seed of all that is drawn, made once."""
    seed = secrets.token_hex(8)
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('seed', ?)", (seed,))
    (seed,) = connection.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()
    return seed


def _wanted(connection: sqlite3.Connection, n_test: int | None, total: int) -> int:
    """Return how many images are wanted for measuring; a number that is given is kept."""
    if n_test is not None:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('n_test', ?)", (str(n_test),))
    row = connection.execute("SELECT value FROM meta WHERE key = 'n_test'").fetchone()
    return min(N_TEST, total // 5) if row is None else int(row[0])
