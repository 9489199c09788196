"""Stored results, read back; those of several folders are merged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skactive._paths import home_expanded
from skactive._validation import InvalidParameterError, invalid
from skactive.exceptions import ResultsMismatchError
from skactive.experiments._config import differences, read_config
from skactive.experiments._failures import Failure, read_failures
from skactive.experiments._records import Record, latest, read_records

_OWNER = "Results.load"


def load_records(paths: Sequence[str | os.PathLike[str]]) -> list[Record]:
    """Read folders or files, and merge what they hold.

    Parameters
    ----------
    paths : sequence of str or path-like
        Folders with `results.jsonl`, or such files.

    Returns
    -------
    list of dict
        The finished rounds.
    """
    if not paths:
        raise invalid("paths", _OWNER, "at least one folder", list(paths))
    merged: list[Record] = []
    owner: dict[tuple[str, str, int], Path] = {}
    configs: list[tuple[Path, Any]] = []
    for file in map(_file, paths):
        records = latest(read_records(file)[0])
        config = file.with_name("config.json")
        if config.is_file():
            # Rounds at other numbers of threads differ by rounding, and each record says its own.
            settings = read_config(config) | {"n_threads": None}
            _check_same(configs, file, settings)
        for run in {(r["dataset"], r["strategy"], r["seed"]) for r in records}:
            if run in owner:
                dataset, strategy, seed = run
                raise InvalidParameterError(
                    f"{_OWNER}: {strategy} with seed {seed} on {dataset!r} is in {owner[run]} and "
                    f"in {file}. Leave one of them out."
                )
            owner[run] = file
        merged += records
    return merged


def load_failures(paths: Sequence[str | os.PathLike[str]]) -> list[Failure]:
    """Read the runs that failed and have not been finished since, from the same folders or files.

    Parameters
    ----------
    paths : sequence of str or path-like
        Folders with `results.jsonl`, or such files.

    Returns
    -------
    list of dict
        The failed runs.
    """
    return [failure for path in paths for failure in read_failures(_file(path).parent)]


def _file(path: str | os.PathLike[str]) -> Path:
    file = Path(home_expanded(path))
    file = file / "results.jsonl" if file.is_dir() else file
    if not file.is_file():
        raise invalid(
            "path",
            _OWNER,
            "a folder with results.jsonl, or such a file",
            str(path),
            "Pass what run_experiment got as out=.",
        )
    return file


def _check_same(configs: list[tuple[Path, Any]], file: Path, config: Any) -> None:
    """Raise if results on data of one name cannot be compared with each other."""
    for other, known in configs:
        found = list(differences(known, config, ""))
        if known["dataset"] == config["dataset"] and found:
            raise ResultsMismatchError(
                f"{other} and {file} both hold results on {config['dataset']!r}, from different "
                f"configurations: {'; '.join(found)}. Give different data or settings different "
                "names, with run_experiment(dataset=...)."
            )
    configs.append((file, config))
