"""Classes and labellers: names whose ids never change."""

from __future__ import annotations

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
    """Have the labels of one class count as those of another."""
    old, new = class_id(database, name), class_id(database, into)
    if database.value("SELECT merged_into FROM class WHERE id = ?", new) is not None or old == new:
        raise RefusedError(f"{into!r} cannot take in {name!r}: it is part of a class itself.")
    with database.writing() as connection:
        connection.execute(
            "UPDATE class SET merged_into = ? WHERE id = ? OR merged_into = ?", (new, old, old)
        )


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
