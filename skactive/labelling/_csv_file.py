"""Labels as a CSV file, a line per image and labeller; two columns are enough to read one."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError
from skactive.labelling._events import KINDS, VIAS
from skactive.labelling._exchange import Decision, decisions

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
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        columns = table.fieldnames or []
        if not {"path", "class"} <= set(columns):
            raise RefusedError(f"It needs the columns path and class; it has {', '.join(columns)}.")
        return [_decision(row, table.line_num) for row in table]


def _decision(row: dict[str, str], line: int) -> Decision:
    kind, via = row.get("kind") or "label", row.get("via") or "import"
    at = row.get("at") or ""
    good = kind in KINDS and kind != "undo" and via in VIAS and (at == "" or _NUMBER.fullmatch(at))
    if not good or None in row or (kind == "label") != bool(row["class"]):
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
