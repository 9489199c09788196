"""Label Studio's JSON: tasks with predictions in the queried order out, annotations in."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError
from skactive.labelling._exchange import EMPTY, Decision, decisions
from skactive.labelling._files import SUFFIXES
from skactive.labelling._names import class_names
from skactive.labelling._results import last_round

# How Label Studio names files of a local storage, and what the labelling configuration calls the
# image and the choice.
_PREFIX = "/data/local-files/?d="
# What it puts before the name of a file that was uploaded.
_UPLOADED = re.compile(r"(?<=/)[0-9a-f]{8}-(?=[^/]+$)")
_IMAGE, _CHOICE = "image", "choice"


def write(database: Database, folder: Path, path: Path) -> int:
    """Write a task per image: those with decisions, then those that are asked for, in that order.

    The configuration that fits is `<View><Image name="image" value="$image"/><Choices name="choice"
    toName="image">…</Choices></View>`, with local file storage at the folder above.
    """
    tasks = _tasks(database, folder)
    path.write_text(json.dumps(tasks, indent=1, ensure_ascii=False), encoding="utf-8")
    return len(tasks)


def _tasks(database: Database, folder: Path) -> list[dict[str, Any]]:
    annotated: dict[str, list[dict[str, Any]]] = {}
    for one in decisions(database):
        annotated.setdefault(one.path, []).append(_annotation(one))
    predicted = _predictions(database)
    order = [
        path
        for (path,) in database.read(
            "SELECT i.path FROM queue q JOIN image i ON i.id = q.image WHERE i.state = 'ok'"
            " ORDER BY q.rank"
        )
    ]
    shares = dict(database.read("SELECT path, share FROM image"))
    return [
        {
            "id": number,
            "data": {
                "image": f"{_PREFIX}{quote(f'{folder.name}/{path}')}",
                "path": path,
                "share": shares[path],
                "rank": number,
            },
            "annotations": annotated.get(path, []),
            "predictions": predicted.get(path, []),
        }
        for number, path in enumerate(dict.fromkeys([*annotated, *order]), start=1)
    ]


def _annotation(one: Decision) -> dict[str, Any]:
    at = datetime.fromtimestamp((one.at or 0) / 1e6, timezone.utc)
    return {
        "completed_by": {"email": one.labeller},
        "was_cancelled": one.kind == "skip",
        "created_at": at.isoformat(timespec="microseconds"),
        "unique_id": one.event,
        "result": [_result(one.class_)] if one.class_ is not None else [],
        "meta": {"kind": one.kind, "via": one.via},
    }


def _result(name: str) -> dict[str, Any]:
    return {
        "from_name": _CHOICE,
        "to_name": _IMAGE,
        "type": "choices",
        "value": {"choices": [name]},
    }


def _predictions(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return what the last network says, not on the share for measuring: nobody should see that."""
    names = class_names(database)
    rows = database.read(
        "SELECT i.path, p.class, p.p, p.round FROM prediction p JOIN image i ON i.id = p.image"
        " WHERE p.round = ? AND i.share = 'pool'",
        last_round(database),
    )
    return {
        path: [{"model_version": f"round {round_}", "score": p, "result": [_result(names[class_])]}]
        for path, class_, p, round_ in rows
    }


def read(database: Database, folder: Path, path: Path) -> list[Decision]:
    """Read the annotations of tasks, of our own or of Label Studio's export."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise RefusedError(f"It is not JSON: {error}") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise RefusedError("It is not a list of tasks; export it as JSON, not as JSON-MIN.")
    here = {known for (known,) in database.read("SELECT path FROM image")}
    found = []
    for task in tasks:
        for annotation in task.get("annotations") or []:
            found += _read_annotation(task, annotation, here)
    return found


def _read_annotation(task: dict[str, Any], annotation: Any, here: set[str]) -> list[Decision]:
    data, meta = task.get("data") or {}, annotation.get("meta") or {}
    path = str(data.get("path") or _path_of(_address(data), here))
    choices = [
        name
        for result in annotation.get("result") or []
        if result.get("type") == "choices"
        for name in result["value"]["choices"]
    ]
    kind = meta.get("kind") or ("skip" if annotation.get("was_cancelled") else "label")
    if kind == "label" and not choices:
        return [Decision(path, EMPTY, None)]
    if kind == "label" and len(choices) != 1:
        raise RefusedError(f"{path} has {len(choices)} choices, where one class is needed.")
    who = annotation.get("completed_by")
    return [
        Decision(
            path,
            kind,
            choices[0] if kind == "label" else None,
            who.get("email") if isinstance(who, dict) else None if who is None else str(who),
            meta.get("via") or "import",
            _time_of(annotation.get("created_at")),
            annotation.get("unique_id"),
        )
    ]


def _address(data: dict[str, Any]) -> str:
    """Return where the image of a task is: the field "image", else the only one like a file's."""
    if _IMAGE in data:
        return str(data[_IMAGE])
    files = [
        text
        for text in data.values()
        if isinstance(text, str) and text.rpartition(".")[2].lower() in SUFFIXES
    ]
    if len(files) != 1:
        raise RefusedError(f"A task has {len(files)} fields with an image, and none named image.")
    return files[0]


def _path_of(address: str, here: set[str]) -> str:
    """Return the path in the folder that an address ends in."""
    query = parse_qs(urlsplit(address).query)
    path = query["d"][0] if "d" in query else unquote(urlsplit(address).path)
    paths = [path, address]  # as it is: a name that has # or % and was not coded
    if path.startswith("/data/upload/"):
        paths.append(_UPLOADED.sub("", path))
    parts = [one.strip("/").split("/") for one in paths]
    endings = ("/".join(of[k:]) for of in parts for k in range(len(of)))
    return next((ending for ending in endings if ending in here), path)


def _time_of(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise RefusedError(f"{text!r} is not a time.") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    since = at - datetime.fromtimestamp(0, timezone.utc)
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
