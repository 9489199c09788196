"""Who is asked for which image next: the queue, and leases, so that no two are asked the same."""

from __future__ import annotations

import json
import random
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
        WHERE e.image = i.id AND e.until > ? AND NOT (e.tab = ? AND e.labeller = ?)
    )
    AND i.id NOT IN (SELECT value FROM json_each(?))
ORDER BY q.rank LIMIT ?
"""
# What another tab was given meanwhile stays with that.
_LEASE = """
INSERT INTO lease (image, labeller, tab, until)
SELECT i.id, :labeller, :tab, :until FROM image i
WHERE i.id IN (SELECT value FROM json_each(:images))
    AND NOT EXISTS (SELECT 1 FROM label l WHERE l.image = i.id)
ON CONFLICT (image) DO UPDATE SET labeller = :labeller, tab = :tab, until = :until
    WHERE lease.until <= :now OR (lease.tab = :tab AND lease.labeller = :labeller)
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

    `besides` are those that it has already; their leases are renewed, also of those that a round
    has taken out of the queue.
    """
    if len(_open(database, labeller, tab, n, besides)) < n:
        top_up(database)
    now = time.time()
    with database.writing() as connection:
        found = _open(database, labeller, tab, n, besides)
        images = json.dumps([*besides, *(row.image for row in found)])
        values = {"labeller": labeller, "tab": tab, "until": now + LEASE, "now": now}
        connection.execute(_LEASE, {**values, "images": images})
    return found


def _open(
    database: Database, labeller: int, tab: str, n: int, besides: frozenset[int]
) -> list[Asked]:
    """Return the first n images of the queue that nobody else is asked for."""
    have = json.dumps(sorted(besides))
    return [Asked(*row) for row in database.read(_OPEN, time.time(), tab, labeller, have, n)]


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
    """Ask for what a strategy chose, in its order, from now on, and measure in between.

    What somebody is asked for at this moment comes last, so that it stays known why it was.
    """
    with database.writing() as connection:
        held = connection.execute(
            "SELECT q.image, q.round, q.via FROM queue q JOIN lease e ON e.image = q.image"
            " WHERE e.until > ? ORDER BY q.rank",
            (time.time(),),
        ).fetchall()
        connection.execute("DELETE FROM queue")
        test = drawn(database, "test", (len(picks) + 1) // (ONE_IN - 1), f"round {round_}")
        rows = [(image, round_, via) for image, via in interleave(picks, test, "query")]
        connection.executemany(
            "INSERT OR IGNORE INTO queue (rank, image, round, via) VALUES (?, ?, ?, ?)",
            [(rank, *row) for rank, row in enumerate([*rows, *held])],
        )


def n_waiting(database: Database) -> int:
    """Return how many images that a strategy chose have no answer yet."""
    return database.count(
        "SELECT COUNT(*) FROM queue q JOIN image i ON i.id = q.image WHERE q.via = 'query'"
        " AND i.state = 'ok' AND NOT EXISTS (SELECT 1 FROM label l WHERE l.image = q.image)"
    )
