"""The routes of the page: a person's questions and decisions, in JSON."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skactive.labelling._arguments import user
from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError
from skactive.labelling._events import Event, last_event, record
from skactive.labelling._exchange import export
from skactive.labelling._names import class_id, labeller_id
from skactive.labelling._order import Asked, lease, release
from skactive.labelling._pictures import UnreadableError, picture
from skactive.labelling._results import accuracy_of, last_round, rounds, stopping, suspicious

_STATIC = {
    **dict.fromkeys(
        ("page.js", "finder.js", "outbox.js", "pictures.js"), "text/javascript; charset=utf-8"
    ),
    "page.css": "text/css; charset=utf-8",
    "icon.png": "image/png",
}
_MOST_ASKED, _MOST_SENT, _SIDE, _FULL = 50, 500, 1600, 6000
# A page asks for its next images at once; a large photo takes hundreds of megabytes to decode.
_DECODING = threading.Semaphore(2)
# What a client may say of an event, and of which type each is.
_FIELDS: dict[str, tuple[type, ...]] = {
    "uuid": (str,),
    "image": (int,),
    "kind": (str,),
    "class": (int, type(None)),
    "undoes": (str, type(None)),
    "via": (str,),
    "shown_class": (int, type(None)),
    "shown_p": (int, float, type(None)),
    "round": (int, type(None)),
    "ms": (int, type(None)),
}


@dataclass
class Desk:
    """What the routes work on. `busy` says what the server itself does, such as scanning."""

    database: Database
    folder: Path
    trains: bool = True
    busy: tuple[str, int, int] | None = None
    given_up: Callable[[], bool] = lambda: False
    lock: threading.Lock = field(default_factory=threading.Lock)


def make_app(desk: Desk) -> Starlette:
    """Return the application; it has to stand behind a `Guard`."""
    writes: dict[str, Callable[[Desk, int, dict[str, Any]], Any]] = {
        "next": _next,
        "events": _events,
        "classes": _classes,
        "release": _release,
        "review": _review,
        "last": _last,
    }
    routes = [
        Route("/", partial(_static, "index.html", "text/html; charset=utf-8")),
        *(Route(f"/{name}", partial(_static, name, kind)) for name, kind in _STATIC.items()),
        Route("/image/{number:int}", partial(_image, desk)),
        Route("/api/state", partial(_state, desk)),
        Route("/api/export/{name}", partial(_export, desk)),
        *(
            Route(f"/api/{name}", partial(_write, desk, answer), methods=["POST"])
            for name, answer in writes.items()
        ),
    ]
    return Starlette(routes=routes)


def page_file(name: str) -> bytes:
    """Return a file of the page."""
    return (files("skactive.labelling") / "page" / name).read_bytes()


async def _static(name: str, kind: str, request: Request) -> Response:
    return Response(page_file(name), headers={"content-type": kind})


async def _write(desk: Desk, answer: Any, request: Request) -> Response:
    """Answer a request that writes; what is wrong with it is said in one sentence."""
    try:
        values = await request.json()
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return JSONResponse({"error": "An object of JSON is needed."}, 400)
    try:
        found = await run_in_threadpool(_call, desk, answer, request.scope["labeller"], values)
    except (RefusedError, KeyError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(found)


def _call(desk: Desk, answer: Any, name: str, values: dict[str, Any]) -> Any:
    return answer(desk, labeller_id(desk.database, name), values)


# Reading -----------------------------------------------------------------------------------------


async def _image(desk: Desk, request: Request) -> Response:
    return await run_in_threadpool(_image_of, desk, request)


def _image_of(desk: Desk, request: Request) -> Response:
    """Send an image: 404 if there is none, 415 if it is broken, 503 if it cannot be had now."""
    number = request.path_params["number"]
    path = desk.database.value("SELECT path FROM image WHERE id = ?", number)
    if path is None:
        return JSONResponse({"error": "There is no such image."}, 404)
    side = _FULL if request.query_params.get("full") == "1" else _SIDE
    try:
        with _DECODING:
            content, kind = picture(desk.folder, str(path), side)
    except UnreadableError:
        _note(desk.database, number, "unreadable")
        return JSONResponse({"error": "The file is not an image, or is broken."}, 415)
    except FileNotFoundError:
        _note(desk.database, number, "missing")
        return JSONResponse({"error": "The file is not there."}, 404)
    except OSError as error:
        return JSONResponse({"error": f"The file cannot be read: {error.strerror}."}, 503)
    return Response(content, headers={"content-type": kind})


def _note(database: Database, image: int, state: str) -> None:
    with database.writing() as connection:
        connection.execute("UPDATE image SET state = ? WHERE id = ?", (state, image))


async def _state(desk: Desk, request: Request) -> Response:
    found = await run_in_threadpool(state, desk, request.scope["labeller"])
    return JSONResponse(found)


def state(desk: Desk, name: str) -> dict[str, Any]:
    """Return all that the page shows besides the image."""
    database = desk.database
    curve = rounds(database)
    found = accuracy_of(database, last_round(database))
    hint = stopping(curve)
    classes = database.read(
        "SELECT c.id, c.name, c.key, (SELECT COUNT(*) FROM label l WHERE l.class = c.id)"
        " FROM class c WHERE c.merged_into IS NULL ORDER BY c.position"
    )
    numbers = Counter[str]()
    # in the order of an index: half a second less of each minute with 100,000 images
    for kind, n in database.read("SELECT state, COUNT(*) FROM image GROUP BY share, state"):
        numbers[kind] += n
    kinds = dict(database.read("SELECT kind, COUNT(DISTINCT image) FROM label GROUP BY kind"))
    return {
        "id": database.get("id"),
        "labeller": name,
        "named": name != user() or database.count("SELECT COUNT(*) FROM labeller") > 1,
        "folder": desk.folder.name,
        "classes": [dict(zip(("id", "name", "key", "n"), row, strict=True)) for row in classes],
        "images": numbers,
        "decisions": kinds,
        "accuracy": {"text": str(found), "value": found.value, "n": found.n_test},
        "curve": [(r.n_labels, r.accuracy.value, r.accuracy.low, r.accuracy.high) for r in curve],
        "hint": hint.why if hint.enough else None,
        "doing": _doing(desk),
        "error": database.value("SELECT error FROM round ORDER BY id DESC LIMIT 1"),
        "journal": database.journal,
    }


def _doing(desk: Desk) -> tuple[str, int, int]:
    if desk.busy is not None:
        return desk.busy
    if not desk.trains:
        return ("no training", 0, 0)
    if desk.given_up():
        return ("training has failed: see .skactive/worker.log", 0, 0)
    rows = desk.database.read("SELECT doing, done, todo, beat FROM worker")
    if not rows or time.time() - rows[0][3] > 10:
        return ("starting to train", 0, 0)
    return rows[0][:3]


async def _export(desk: Desk, request: Request) -> Response:
    """Send the labels as a file."""
    name = request.path_params["name"]
    if name not in {"labels.csv", "tasks.json"}:
        return JSONResponse({"error": "There are labels.csv and tasks.json."}, 404)

    def written() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            export(desk.database, desk.folder, Path(folder) / name)
            return (Path(folder) / name).read_bytes()

    content = await run_in_threadpool(written)
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
    headers = {"content-type": kind, "content-disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers)


# Writing -----------------------------------------------------------------------------------------


def _tab(values: dict[str, Any]) -> str:
    tab = values.get("tab")
    if not isinstance(tab, str) or not 8 <= len(tab) <= 64:
        raise RefusedError("A tab says which one it is.")
    return tab


def _next(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    n, have = values.get("n"), values.get("have", [])
    if not isinstance(n, int) or not 0 <= n <= _MOST_ASKED:
        raise RefusedError(f"From 0 to {_MOST_ASKED} images can be asked for.")
    if not isinstance(have, list) or not all(isinstance(i, int) for i in have[:1000]):
        raise RefusedError("Images are known by their numbers.")
    found = lease(desk.database, labeller, _tab(values), n, frozenset(have))
    return {"images": [_asked(desk.database, one) for one in found]}


def _asked(database: Database, one: Asked) -> dict[str, Any]:
    """Return an image that is asked for, and what the network says, unless it is measured."""
    guess = None
    if one.share == "pool":
        rows = database.read(
            "SELECT COALESCE(c.merged_into, c.id), p.p FROM prediction p"
            " JOIN class c ON c.id = p.class WHERE p.image = ? AND p.round = ?",
            one.image,
            last_round(database),
        )
        guess = rows[0] if rows else None
    return {
        "image": one.image,
        "path": one.path,
        "via": "test" if one.share == "test" else one.via,
        "round": one.round,
        "guess": guess,
    }


def _events(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    """Write events, each by itself; say which are on disk now, and which never will be."""
    given = values["events"]
    if not isinstance(given, list) or len(given) > _MOST_SENT:
        raise RefusedError(f"At most {_MOST_SENT} events can be sent at once.")
    events: list[tuple[str, Event]] = []
    refused: dict[str, str] = {}
    for one in given:
        uuid = str(one.get("uuid") if isinstance(one, dict) else one)
        try:
            events.append((uuid, _event(one)))
        except RefusedError as error:
            refused[uuid] = str(error)
    written = []
    for uuid, event in events:
        try:
            record(desk.database, labeller, [event])
            written.append(uuid)
        except RefusedError as error:
            refused[uuid] = str(error)
    return {"written": written, "refused": refused}


def _event(one: Any) -> Event:
    if not isinstance(one, dict) or not {"uuid", "image", "kind", "via"} <= set(one) <= set(
        _FIELDS
    ):
        raise RefusedError("An event has a uuid, an image, a kind and a via.")
    for key, value in one.items():
        if not isinstance(value, _FIELDS[key]) or isinstance(value, bool):
            raise RefusedError(f"{key!r} of an event cannot be {value!r}.")
        if isinstance(value, int) and not -(2**53) < value < 2**53:
            raise RefusedError(f"{key!r} of an event is too large.")
    if not 8 <= len(one["uuid"]) <= 64:
        raise RefusedError("A uuid has 8 to 64 characters.")
    given = {key: value for key, value in one.items() if key != "class"}
    return Event(class_=one.get("class"), **given)


def _classes(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    return {"id": class_id(desk.database, values.get("name"))}


def _release(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    release(desk.database, _tab(values))
    return {}


def _review(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    """Ask for a review, and return the labels that are suspicious so far."""
    database = desk.database
    if values.get("again"):
        database.set("review", "wanted")
    rows = []
    for image, score, proposed in suspicious(database, 50):
        ((path, class_),) = database.read(
            "SELECT i.path, l.class FROM image i JOIN label l ON l.image = i.id"
            " WHERE i.id = ? AND l.kind = 'label' ORDER BY l.at DESC LIMIT 1",
            image,
        )
        rows.append(
            {"image": image, "path": path, "class": class_, "p": score, "proposed": proposed}
        )
    looked = database.get("review") == "done"
    nobody = not desk.trains or desk.given_up()
    return {"images": rows, "done": looked or nobody, "looked": looked}


def _last(desk: Desk, labeller: int, values: dict[str, Any]) -> Any:
    """Return the labeller's last decision, and what holds for its image if it is taken back."""
    database = desk.database
    last = last_event(database, labeller)
    if last is None:
        return {"event": None}
    rows = database.read(
        "SELECT e.uuid, e.kind, COALESCE(c.merged_into, c.id), e.via, i.path, i.share"
        " FROM event e JOIN image i ON i.id = e.image LEFT JOIN class c ON c.id = e.class"
        " WHERE e.image = ? AND e.labeller = ? AND e.kind != 'undo'"
        " AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.uuid)"
        " ORDER BY e.at DESC, e.id DESC LIMIT 2",
        last[1],
        labeller,
    )
    event, *before = (dict(zip(("uuid", "kind", "class"), row, strict=False)) for row in rows)
    *_, via, path, share = rows[0]
    asked = _asked(database, Asked(last[1], path, share, via, None))
    return {"event": event, "before": before[0] if before else None, "asked": asked}
