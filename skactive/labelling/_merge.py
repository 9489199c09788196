"""What two people decided on two machines, in one file: all events of the one into the other."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from skactive.labelling._catalogue import pieces
from skactive.labelling._database import Database
from skactive.labelling._events import Event, record
from skactive.labelling._exchange import Imported, events_of
from skactive.labelling._files import DIGEST
from skactive.labelling._finding import Finder
from skactive.labelling._names import class_id, labeller_id

_EVENTS = """
SELECT e.uuid, i.path, i.digest, p.name, e.kind, COALESCE(m.name, c.name), e.undoes, e.via, e.ms,
    e.at
FROM event e JOIN image i ON i.id = e.image JOIN labeller p ON p.id = e.labeller
LEFT JOIN class c ON c.id = e.class LEFT JOIN class m ON m.id = c.merged_into
ORDER BY e.id
"""


def merge(database: Database, other: Path) -> Imported:
    """Take in the events of another file of labels, with their history; twice is once.

    Events that are known stay as they are, also where a class has got another name there.
    """
    source = sqlite3.connect(f"{other.resolve().as_uri()}?mode=ro", uri=True)
    try:
        rows = source.execute(_EVENTS).fetchall()
        kept = source.execute("SELECT value FROM meta WHERE key = 'digest'").fetchone()
    finally:
        source.close()
    comparable = kept is not None and kept[0] == str(DIGEST)
    finder = Finder(database)
    known = events_of(database, [row[0] for row in rows])
    done = Imported(0, 0, [])
    of_person: dict[int, list[Event]] = {}
    for uuid, path, digest, person, kind, class_, undoes, via, ms, at in rows:
        if uuid in known:
            done.known += 1
            continue
        image = finder.find(path, digest if comparable else None)
        if image is None:
            done.unknown.append(path)
            continue
        event = Event(
            image,
            kind,
            class_id(database, class_) if class_ is not None else None,
            undoes,
            via,
            uuid=uuid,
            ms=ms,
            at=at,
        )
        of_person.setdefault(labeller_id(database, person), []).append(event)
    for labeller, events in of_person.items():
        for piece in pieces(events):
            new = len(record(database, labeller, piece))
            done.new += new
            done.known += len(piece) - new
    return done
