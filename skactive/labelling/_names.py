"""Classes and labellers: names whose ids never change."""

from __future__ import annotations

import sqlite3
import unicodedata

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError

# Those that are no command of the page; the keys of classes, in this order.
KEYS = "123456789abcdefijklmnopqrstuwxy"
LONGEST = 200


def checked_name(name: object) -> str:
    """Return a name as it is kept, or refuse it."""
    if not isinstance(name, str):
        raise RefusedError(f"A name is a text, not {name!r}.")
    clean = unicodedata.normalize("NFC", name).strip()
    broken = any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in clean)
    if not clean or len(clean) > LONGEST or broken:
        raise RefusedError(
            f"A name has 1 to {LONGEST} characters, none of which is a control character: {name!r}."
        )
    return clean


def class_id(database: Database, name: object) -> int:
    """Return the id of a class; one that is not known yet is added."""
    name = checked_name(name)
    with database.writing() as connection:
        known = connection.execute("SELECT id FROM class WHERE name = ?", (name,)).fetchone()
        if known is not None:
            return int(known[0])
        taken = {key for (key,) in connection.execute("SELECT key FROM class")}
        key = next((key for key in KEYS if key not in taken), None)
        (position,) = connection.execute(
            "SELECT COALESCE(MAX(position), 0) + 1 FROM class"
        ).fetchone()
        cursor = connection.execute(
            "INSERT INTO class (name, key, position) VALUES (?, ?, ?)", (name, key, position)
        )
        return int(cursor.lastrowid or 0)


def merge_class(database: Database, name: object, into: object) -> None:
    """Have the labels of one class count as those of another; its key is free then."""
    with database.writing() as connection:
        old, new = _known_class(connection, name), _known_class(connection, into)
        if old == new:
            raise RefusedError(f"{name!r} and {into!r} are one class already.")
        connection.execute(
            "UPDATE class SET merged_into = ?, key = NULL WHERE id = ? OR merged_into = ?",
            (new, old, old),
        )


def rename_class(database: Database, name: object, to: object) -> None:
    """Give a class another name; its labels and its key stay."""
    to = checked_name(to)
    with database.writing() as connection:
        class_ = _known_class(connection, name)
        taken = connection.execute("SELECT id FROM class WHERE name = ?", (to,)).fetchone()
        if taken is not None and taken[0] != class_:
            raise RefusedError(f"There is a class {to!r} already; merge the two.")
        connection.execute("UPDATE class SET name = ? WHERE id = ?", (to, class_))


def _known_class(connection: sqlite3.Connection, name: object) -> int:
    """Return the id of a class that there is; of one that was merged, what it is part of."""
    row = connection.execute(
        "SELECT COALESCE(merged_into, id) FROM class WHERE name = ?", (checked_name(name),)
    ).fetchone()
    if row is None:
        raise RefusedError(f"There is no class {name!r}.")
    return int(row[0])


def class_names(database: Database) -> dict[int, str]:
    """Return the name of each class by id; a merged one has the name of what it is now."""
    rows = database.read(
        "SELECT c.id, COALESCE(m.name, c.name) FROM class c"
        " LEFT JOIN class m ON m.id = c.merged_into ORDER BY c.position"
    )
    return dict(rows)


def labeller_id(database: Database, name: object) -> int:
    """Return the id of a labeller; one that is not known yet is added."""
    name = checked_name(name)
    with database.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO labeller (name) VALUES (?)", (name,))
        row = connection.execute("SELECT id FROM labeller WHERE name = ?", (name,)).fetchone()
        return int(row[0])
