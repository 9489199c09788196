"""Who is asked for which image next: the queue, and leases, so that no two are asked the same."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import NamedTuple

from skactive.labelling._database import Database

# A tab that is silent for so many seconds loses its images to others.
LEASE = 90.0
# Of so many images one is of the share for measuring, as long as there are any.
ONE_IN = 3

_OPEN = """
SELECT i.id, i.path, i.share, q.via, q.round FROM queue q JOIN image i ON i.id = q.image
WHERE i.state = 'ok' AND NOT EXISTS (SELECT 1 FROM label l WHERE l.image = i.id)
    AND NOT EXISTS (
        SELECT 1 FROM lease e
        WHERE e.image = i.id AND e.until > :now AND NOT (e.tab = :tab AND e.labeller = :labeller)
    )
ORDER BY q.rank LIMIT :n
"""


class Asked(NamedTuple):
    """An image that somebody is asked for, and why it."""

    image: int
    path: str
    share: str
    via: str
    round: int | None


def lease(
    database: Database, labeller: int, tab: str, n: int, besides: frozenset[int] = frozenset()
) -> list[Asked]:
    """Return the next images for a tab, which no other tab gets meanwhile.

    `besides` are those that it has already; their leases are renewed.
    """
    wanted = n + len(besides)
    if len(_open(database.connection, labeller, tab, wanted)) < wanted:
        top_up(database)
    until = time.time() + LEASE
    with database.writing() as connection:
        rows = _open(connection, labeller, tab, wanted)
        found = [row for row in rows if row.image not in besides][:n]
        ids = [row.image for row in rows if row.image in besides] + [row.image for row in found]
        connection.executemany(
            "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)",
            [(image, labeller, tab, until) for image in ids],
        )
    return found


def _open(connection: sqlite3.Connection, labeller: int, tab: str, n: int) -> list[Asked]:
    values = {"now": time.time(), "tab": tab, "labeller": labeller, "n": n}
    return [Asked(*row) for row in connection.execute(_OPEN, values)]


def release(database: Database, tab: str) -> None:
    """Let go of a tab's images."""
    with database.writing() as connection:
        connection.execute("DELETE FROM lease WHERE tab = ?", (tab,))


_UNASKED = """
SELECT id FROM image i WHERE share = ? AND state = 'ok'
    AND NOT EXISTS (SELECT 1 FROM label l WHERE l.image = i.id)
    AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.image = i.id)
"""
_AT_ONCE = 120


def top_up(database: Database) -> None:
    """Add images to the queue's end, drawn at random; one in three for measuring."""
    last = database.count("SELECT CAST(COALESCE(MAX(rank), 0) AS INTEGER) FROM queue")
    pool = drawn(database, "pool", _AT_ONCE, str(last))
    rows = interleave(pool, drawn(database, "test", _AT_ONCE // 2, str(last)), "random")
    with database.writing() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO queue (image, rank, round, via) VALUES (?, ?, NULL, ?)",
            [(image, last + 1 + k, via) for k, (image, via) in enumerate(rows)],
        )


def drawn(database: Database, share: str, n: int, what: str) -> list[int]:
    """Return up to n images of a share that nobody was asked for, drawn at random."""
    ids = [i for (i,) in database.read(_UNASKED, share)]
    draw = random.Random(f"{database.get('seed')} {share} {what}")
    return draw.sample(ids, min(n, len(ids)))


def interleave(pool: list[int], test: list[int], via: str) -> list[tuple[int, str]]:
    """Return images of the pool with one of the share for measuring after every other two."""
    rows, waiting, measured = [], list(pool), list(test)
    while waiting or measured:
        for _ in range(ONE_IN - 1):
            if waiting:
                rows.append((waiting.pop(0), via))
        if measured:
            rows.append((measured.pop(0), "test"))
    return rows


def requeue(database: Database, picks: list[int], round_: int) -> None:
    """Ask for what a strategy chose, in its order, from now on, and measure in between."""
    with database.writing() as connection:
        connection.execute("DELETE FROM queue")
        test = drawn(database, "test", (len(picks) + 1) // (ONE_IN - 1), f"round {round_}")
        rows = interleave(picks, test, "query")
        connection.executemany(
            "INSERT INTO queue (image, rank, round, via) VALUES (?, ?, ?, ?)",
            [(image, k, round_, via) for k, (image, via) in enumerate(rows)],
        )


def n_waiting(database: Database) -> int:
    """Return how many images that a strategy chose have no answer yet."""
    return database.count(
        "SELECT COUNT(*) FROM queue q JOIN image i ON i.id = q.image WHERE q.via = 'query'"
        " AND i.state = 'ok' AND NOT EXISTS (SELECT 1 FROM label l WHERE l.image = q.image)"
    )
