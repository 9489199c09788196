"""Rewrite results that were kept under the names before 0.1: `python rename_to_0_1.py FOLDER ...`.

In the folders' `config.json` and `study.toml` the experiment's `batch_size` becomes `n_instances`,
and the `n_samples` of BatchBALD `n_configurations`. No number changes, `results.jsonl` is not
opened, and to run it again changes nothing.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

# A line of the table [experiment], and a field of a strategy's table.
_BUDGET = re.compile(r"(^\[experiment\]\n(?:(?!\[).*\n)*?)batch_size(?=\s*=)", re.MULTILINE)
_CONFIGURATIONS = re.compile(r'(class = "BatchBALD"[^{}]*?)\bn_samples(?=\s*=)')


def renamed_config(text: str) -> str:
    """Return a `config.json` with the names of 0.1."""
    config = _with(json.loads(text), {"batch_size": "n_instances"})
    config["strategies"] = _with_configurations(config["strategies"])
    return json.dumps(config, indent=2) + "\n"


def renamed_study(text: str) -> str:
    """Return a `study.toml` with the names of 0.1."""
    return _CONFIGURATIONS.sub(r"\1n_configurations", _BUDGET.sub(r"\1n_instances", text))


def _with(table: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in table.items()}


def _with_configurations(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_configurations(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_configurations(item) for key, item in value.items()}
    if found.get("class") == "skactive.strategies.BatchBALD":
        found["params"] = _with(found["params"], {"n_samples": "n_configurations"})
    return found


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        for name, renamed in [("config.json", renamed_config), ("study.toml", renamed_study)]:
            path = folder / name
            if not path.exists():
                continue
            old = path.read_text(encoding="utf-8")
            new = renamed(old)
            pairs = zip(old.splitlines(), new.splitlines(), strict=True)
            changes = [(a.strip(), b.strip()) for a, b in pairs if a != b]
            for before, after in changes:
                print(f"{path}: {before} -> {after}")
            if changes:
                path.write_text(new, encoding="utf-8")
            else:
                print(f"{path}: has the names of 0.1")


if __name__ == "__main__":
    main(sys.argv[1:])
