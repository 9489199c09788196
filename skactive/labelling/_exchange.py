"""Labels out of a folder and into it: CSV, a folder per class, Label Studio's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError, invalid
from skactive.labelling._events import KINDS, VIAS, Event, record
from skactive.labelling._finding import Finder
from skactive.labelling._names import checked_name, class_id, labeller_id

_OWNER = "LabelSession"
# The kind of a decision that nobody has made yet: a line without a class.
EMPTY = "empty"


class Decision(NamedTuple):
    """One line of an exchange: who decided what about which file."""

    path: str
    kind: str
    class_: str | None
    labeller: str | None = None
    via: str = "import"
    at: int | None = None
    event: str | None = None
    digest: str | None = None


@dataclass
class Imported:
    """What an import did: numbers of decisions, and the files that are not in the folder.

    Attributes
    ----------
    new : int
        Decisions that were written.
    known : int
        Those that held already.
    unknown : list of str
        Files that are not here, or not images, or another image of the same name.
    empty : list of str
        Files without a class, which were passed over.
    """

    new: int
    known: int
    unknown: list[str]
    empty: list[str] = field(default_factory=list)


def decisions(database: Database) -> list[Decision]:
    """Return all that holds now, of every labeller, in the order of the paths."""
    rows = database.read(
        "SELECT i.path, l.kind, COALESCE(m.name, c.name), p.name, l.via, l.at, e.uuid, i.digest"
        " FROM label l JOIN image i ON i.id = l.image JOIN labeller p ON p.id = l.labeller"
        " JOIN event e ON e.id = l.event LEFT JOIN class c ON c.id = l.class"
        " LEFT JOIN class m ON m.id = c.merged_into ORDER BY i.path, p.name"
    )
    return [Decision(*row) for row in rows]


def take_in(
    database: Database, found: list[Decision], labeller: int, folder: Path | None = None
) -> Imported:
    """Write decisions that came from elsewhere; `labeller` decided those that do not say who.

    One that is known, by its event or because it holds already, is not written twice; one that
    says something else than the event that it names, such as a class that was corrected in a
    table, is a new decision, of now. A file that is not found by its path is found by its content,
    where the decision says that; one that has other content is another file. All are checked
    before the first one is written.
    """
    empty = [one.path for one in found if one.kind == EMPTY]
    found = [one for one in found if one.kind != EMPTY]
    _check(found)
    finder = Finder(database, folder)
    events: dict[int, list[Event]] = {}
    done = Imported(0, 0, [], empty)
    held = {
        (image, person): (kind, class_)
        for image, person, kind, class_ in database.read(
            "SELECT l.image, l.labeller, l.kind, COALESCE(c.merged_into, l.class)"
            " FROM label l LEFT JOIN class c ON c.id = l.class"
        )
    }
    known = events_of(database, [one.event for one in found if one.event])
    merged = dict(database.read("SELECT id, merged_into FROM class WHERE merged_into IS NOT NULL"))
    for one in found:
        image = finder.find(one.path, one.digest)
        before = known.get(one.event or "")
        if image is None and before is not None:  # edited since
            image = before[0]
        if image is None:
            done.unknown.append(one.path)
            continue
        person = labeller_id(database, one.labeller) if one.labeller else labeller
        class_ = class_id(database, one.class_) if one.kind == "label" else None
        class_ = merged.get(class_, class_)
        if held.get((image, person)) == (one.kind, class_):
            done.known += 1
            continue
        says = (image, person, one.kind, class_)
        if before == says:
            done.known += 1
            continue
        event = Event(image, one.kind, class_, via=one.via, at=one.at)
        if before is not None:
            event.via, event.at = "import", None
        elif one.event:
            event.uuid = one.event
            known[one.event] = says
        events.setdefault(person, []).append(event)
    for person, of_person in events.items():
        new = _record_pieces(database, person, of_person)
        done.new += new
        done.known += len(of_person) - new
    return done


def _check(found: list[Decision]) -> None:
    """Refuse what could not be written."""
    for one in found:
        if one.kind not in KINDS or one.kind == "undo" or one.via not in VIAS:
            raise RefusedError(f"{one.path} has a {one.kind!r} via {one.via!r}.")
        for name in (one.class_, one.labeller):
            if name is not None:
                checked_name(name)


def events_of(database: Database, uuids: list[str]) -> dict[str, tuple]:
    """Return what each event says that is known: image, labeller, kind and class as it is now."""
    rows = database.read(
        "SELECT e.uuid, e.image, e.labeller, e.kind, COALESCE(c.merged_into, e.class)"
        " FROM event e LEFT JOIN class c ON c.id = e.class"
        " WHERE e.uuid IN (SELECT value FROM json_each(?))",
        json.dumps(uuids),
    )
    return {uuid: tuple(rest) for uuid, *rest in rows}


def _record_pieces(database: Database, person: int, events: list[Event]) -> int:
    from skactive.labelling._catalogue import pieces

    return sum(len(record(database, person, piece)) for piece in pieces(events))


# Formats -----------------------------------------------------------------------------------------


def _format(path: Path, writing: bool) -> Callable[..., Any]:
    """Return what reads or writes a file or a folder."""
    from skactive.labelling import _csv_file, _label_studio, _sorted_folder

    kinds: dict[str, Any] = {".csv": _csv_file, ".json": _label_studio, "": _sorted_folder}
    if not writing and path.is_dir():
        kind: Any = _sorted_folder
    else:
        kind = kinds.get(path.suffix.lower())
    if kind is None:
        must = "a file .csv or .json (of Label Studio), or a folder for one folder per class"
        raise invalid("path", _OWNER, must, str(path))
    found: Callable[..., Any] = kind.write if writing else kind.read
    return found


def export(database: Database, folder: Path, path: Path) -> int:
    """Write the labels in the format that the path says; return how many lines or files."""
    if path.suffix == "" and folder in (path.resolve(), *path.resolve().parents):
        remedy = "Its files would be new images there."
        must = "a folder outside of the one that is labelled"
        raise invalid("path", _OWNER, must, str(path), remedy)
    written: int = _format(path, writing=True)(database, folder, path)
    return written


def import_(database: Database, folder: Path, path: Path, labeller: int) -> Imported:
    """Read labels in the format that the path says, or of another session's folder or file."""
    if not path.exists():
        raise invalid("path", _OWNER, "a file or folder that there is", str(path))
    other = _database_of(path)
    try:
        if other is not None:
            from skactive.labelling._merge import merge

            return merge(database, other)
        found: list[Decision] = _format(path, writing=False)(database, folder, path)
        return take_in(database, found, labeller, folder)
    except RefusedError as error:
        raise invalid("path", _OWNER, "labels in a known form", str(path), str(error)) from error


def _database_of(path: Path) -> Path | None:
    """Return the file of labels of another session, if the path leads to one."""
    from skactive.labelling._database import DATABASE, HOME

    for place in (path, path / DATABASE, path / HOME / DATABASE):
        if place.suffix == ".sqlite" and place.is_file():
            return place
    return None
