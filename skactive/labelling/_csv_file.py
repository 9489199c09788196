"""Labels as a CSV file, a line per image and labeller; two columns are enough to read one."""

from __future__ import annotations

import codecs
import csv
import io
import re
from decimal import Decimal
from pathlib import Path

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError
from skactive.labelling._events import KINDS, VIAS
from skactive.labelling._exchange import EMPTY, Decision, decisions

# `share` says what is kept for measuring in this folder; another one has its own.
COLUMNS = ("path", "class", "kind", "labeller", "via", "at", "event", "digest", "share")
_FIELDS = {"class": "class_"}
# Spreadsheets write long ones as 1.7E+15.
_NUMBER = re.compile(r"\d{1,18}|\d(\.\d+)?[eE]\+?1?\d")


def write(database: Database, folder: Path, path: Path) -> int:
    """Write what holds now; return the number of lines."""
    rows = decisions(database)
    shares = dict(database.read("SELECT path, share FROM image"))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in rows:
            values = [getattr(row, _FIELDS.get(name, name)) for name in COLUMNS[:-1]]
            table.writerow([*values, shares[row.path]])
    return len(rows)


def read(database: Database, folder: Path, path: Path) -> list[Decision]:
    """Read decisions: at least the columns `path` and `class`, in any order."""
    text = _text(path.read_bytes())
    tables = [csv.DictReader(io.StringIO(text, newline=""), delimiter=mark) for mark in ",;\t"]
    needed = {"path", "class"}
    table = next((one for one in tables if needed <= set(one.fieldnames or [])), None)
    if table is None:
        columns = ", ".join(tables[0].fieldnames or [])
        raise RefusedError(f"It needs the columns path and class; it has {columns}.")
    return [_decision(row, table.line_num) for row in table]


def _text(content: bytes) -> str:
    """Return the text of a file, by its byte order mark in UTF-16, else in UTF-8."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError("It is not in UTF-8; save it as 'CSV UTF-8'.") from error


def _decision(row: dict[str, str], line: int) -> Decision:
    kind, via = row.get("kind") or "label", row.get("via") or "import"
    at = row.get("at") or ""
    if None in row or not row["path"] or row["class"] is None:
        raise RefusedError(f"Line {line} has no path, or another number of fields than the first.")
    if not row.get("kind") and not row["class"].strip():
        return Decision(row["path"], EMPTY, None)
    good = kind in KINDS and kind != "undo" and via in VIAS and (at == "" or _NUMBER.fullmatch(at))
    if not good or (kind == "label") != bool(row["class"]):
        raise RefusedError(f"Line {line} cannot be read.")
    return Decision(
        row["path"].replace("\\", "/"),
        kind,
        row["class"] or None,
        row.get("labeller") or None,
        via,
        int(Decimal(at)) if at else None,
        row.get("event") or None,
        row.get("digest") or None,
    )
