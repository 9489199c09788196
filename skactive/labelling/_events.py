"""What people decide, as events that are only ever added, and what follows from them."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError

KINDS = ("label", "skip", "unsure", "undo")
VIAS = ("test", "random", "query", "second", "review", "import")

# The last event of a labeller about an image that was not undone. Times never fall within a file,
# and order the events of two files that are merged.
_HOLDS = """
SELECT kind, class, via, at, id FROM event e
WHERE image = ? AND labeller = ? AND kind != 'undo'
    AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.uuid)
ORDER BY at DESC, id DESC LIMIT 1
"""
# Of several labellers the majority, of equal numbers the latest. Merged classes count as one.
ANSWERS = """
SELECT image, class, via FROM (
    SELECT image, class, via, ROW_NUMBER() OVER (
        PARTITION BY image ORDER BY n DESC, latest DESC
    ) AS place
    FROM (
        SELECT l.image AS image, COALESCE(c.merged_into, c.id) AS class, MIN(l.via) AS via,
            COUNT(*) AS n, MAX(l.at) AS latest
        FROM label l JOIN class c ON c.id = l.class
        GROUP BY l.image, COALESCE(c.merged_into, c.id)
    )
) WHERE place = 1
"""


@dataclass
class Event:
    """One decision. `uuid` is made by whoever decides, so that sending it twice writes it once."""

    image: int
    kind: str
    class_: int | None = None
    undoes: str | None = None
    via: str = "random"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    shown_class: int | None = None
    shown_p: float | None = None
    round: int | None = None
    ms: int | None = None
    at: int | None = None


def record(database: Database, labeller: int, events: Iterable[Event]) -> list[int]:
    """Write events, in one transaction: all or none are on disk when this returns.

    Returns
    -------
    list of int
        The ids of those that are new; one that was there already is left as it is.
    """
    with database.writing() as connection:
        found = [_record(connection, labeller, event) for event in events]
    return [new for new in found if new is not None]


def _record(connection: sqlite3.Connection, labeller: int, event: Event) -> int | None:
    known = connection.execute(
        "SELECT image, labeller, kind, class, undoes FROM event WHERE uuid = ?", (event.uuid,)
    ).fetchone()
    if known is not None:
        if known != (event.image, labeller, event.kind, event.class_, event.undoes):
            raise RefusedError(f"The event {event.uuid} is known with other contents.")
        return None
    _check(connection, labeller, event)
    row = (
        event.uuid,
        event.image,
        labeller,
        event.kind,
        event.class_,
        event.undoes,
        event.via,
        event.shown_class,
        event.shown_p,
        event.round,
        event.ms,
        event.at if event.at is not None else _now(connection),
    )
    new = connection.execute(
        "INSERT INTO event (uuid, image, labeller, kind, class, undoes, via, shown_class, shown_p,"
        " round, ms, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    _apply(connection, event.image, labeller)
    return new


def _check(connection: sqlite3.Connection, labeller: int, event: Event) -> None:
    """Refuse an event that contradicts the tables."""
    if event.kind not in KINDS or event.via not in VIAS:
        raise RefusedError(f"There is no event {event.kind!r} via {event.via!r}.")
    if not _has(connection, "image", event.image):
        raise RefusedError(f"There is no image {event.image}.")
    if (event.kind == "label") != (event.class_ is not None):
        raise RefusedError("A label has a class, and nothing else has one.")
    if (event.kind == "undo") != (event.undoes is not None):
        raise RefusedError("An undo says what it undoes, and nothing else does.")
    for name in (event.class_, event.shown_class):
        if name is not None and not _has(connection, "class", name):
            raise RefusedError(f"There is no class {name}.")
    if event.kind == "undo":
        undone = connection.execute(
            "SELECT image, labeller, kind FROM event WHERE uuid = ?", (event.undoes,)
        ).fetchone()
        if undone is None or undone[:2] != (event.image, labeller) or undone[2] == "undo":
            raise RefusedError(f"The event {event.undoes} is not one that can be undone here.")


def _has(connection: sqlite3.Connection, table: str, key: int) -> bool:
    row = connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (key,)).fetchone()
    return row is not None


def _now(connection: sqlite3.Connection) -> int:
    """Return the time in µs, later than that of all events even if the clock was set back."""
    (last,) = connection.execute("SELECT MAX(at) FROM event").fetchone()
    return max(time.time_ns() // 1000, (last or 0) + 1)


def _apply(connection: sqlite3.Connection, image: int, labeller: int) -> None:
    """Bring the rows of an image and a labeller that follow from the events up to date."""
    held = _hold(connection, image, labeller)
    connection.execute("DELETE FROM lease WHERE image = ?", (image,))
    connection.execute("DELETE FROM suspicion WHERE image = ?", (image,))
    if held:
        connection.execute("DELETE FROM queue WHERE image = ?", (image,))
        return
    # What was undone is asked for again, first of all, and for the reason of the first time.
    connection.execute(
        "INSERT OR IGNORE INTO queue (image, rank, round, via) SELECT id,"
        " (SELECT COALESCE(MIN(rank), 1) - 1 FROM queue), NULL,"
        " CASE share WHEN 'test' THEN 'test'"
        " ELSE (SELECT via FROM event WHERE image = i.id ORDER BY id LIMIT 1) END"
        " FROM image i WHERE id = ?",
        (image,),
    )


def _hold(connection: sqlite3.Connection, image: int, labeller: int) -> bool:
    """Write what holds now for an image and a labeller; return whether anything does."""
    connection.execute("DELETE FROM label WHERE image = ? AND labeller = ?", (image, labeller))
    row = connection.execute(_HOLDS, (image, labeller)).fetchone()
    if row is not None:
        connection.execute(
            "INSERT INTO label (image, labeller, kind, class, via, at, event)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (image, labeller, *row),
        )
    return row is not None


def rebuild(database: Database) -> None:
    """Make the table of labels again from the events."""
    with database.writing() as connection:
        connection.execute("DELETE FROM label")
        pairs = connection.execute("SELECT DISTINCT image, labeller FROM event").fetchall()
        for image, labeller in pairs:
            _hold(connection, image, labeller)


def last_event(database: Database, labeller: int) -> tuple[str, int] | None:
    """Return the uuid and the image of a labeller's last event that can be undone, or None."""
    rows = database.read(
        "SELECT uuid, image FROM event e WHERE labeller = ? AND kind != 'undo'"
        " AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.uuid)"
        " ORDER BY at DESC, id DESC LIMIT 1",
        labeller,
    )
    return rows[0] if rows else None
