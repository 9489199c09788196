"""One finished round, and the file that keeps it: written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

from skactive._file_locks import lock_at_once
from skactive._validation import InvalidParameterError
from skactive.experiments._metrics import Calibration


class Stopped(TypedDict):
    """What a stopping rule makes of a round: its value, whether to stop, what the round left."""

    value: float | None
    stop: bool
    seen: list[Any]


class _Optional(TypedDict, total=False):
    """What only some experiments record."""

    stopping: dict[str, Stopped]


class Record(_Optional):
    """A finished round. `Results` documents the fields."""

    dataset: str
    strategy: str
    seed: int
    round: int
    n_labelled: int
    queried: list[int]
    queried_classes: dict[str, int]
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    recall: dict[str, float]
    log_loss: float | None
    ece: float | None
    calibration: Calibration | None
    metrics: dict[str, float | None]
    train_seconds: float
    predict_seconds: float
    query_seconds: float | None
    peak_memory: int
    peak_device_memory: int | None
    device: str
    n_threads: int
    versions: dict[str, str]


def read_records(path: Path) -> tuple[list[Record], int]:
    """Read a file of records, without a last line that a kill cut off.

    Parameters
    ----------
    path : pathlib.Path
        A file with one JSON record per line.

    Returns
    -------
    list of Record
        In the order of the file.
    int
        Number of bytes they take: where the next record is to be written.

    Raises
    ------
    InvalidParameterError
        If a complete line is not a record: a kill leaves no such line behind.
    """
    *lines, _ = path.read_bytes().split(b"\n")
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        record = _parse(line)
        if record is None:
            raise InvalidParameterError(
                f"Line {number} of {path} is not the record of a finished round. "
                "Delete the line, and the round is computed again."
            )
        records.append(record)
    return records, sum(len(line) + 1 for line in lines)


def read_json(path: Path, kind: type) -> Any:
    """Read another file of the folder, which holds one JSON value of a kind, or raise."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise InvalidParameterError(
            f"{path} is damaged: it is not what run_experiment has written. Put back a copy of it, "
            "or begin anew in another folder."
        )
    return found


def _parse(line: bytes) -> Any:
    """Return the record in a line, or None if it holds none."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    good = isinstance(record, dict) and record.keys() >= Record.__required_keys__
    return record if good else None


def latest(records: list[Record]) -> list[Record]:
    """Keep the last record of each round, in the order of first appearance.

    A round is there twice when it was the last of a run that was later given more rounds: it
    queried nothing the first time.
    """
    kept = {(r["dataset"], r["strategy"], r["seed"], r["round"]): r for r in records}
    return list(kept.values())


def _lock(descriptor: int, path: Path) -> None:
    """Keep the file for this process until it closes it; where the system allows it."""
    if not lock_at_once(descriptor):
        raise InvalidParameterError(
            f"{path} is in use by another run. Wait until it ends, stop it, or write to another "
            "folder."
        )


class RecordFile:
    """A file that records are appended to, for use in a `with` block.

    Entering reads what is there, and cuts off a last line that a kill has left incomplete.
    `append` hands the operating system one complete line in one write, and returns when it is
    on the disk. One process at a time may have the file open.

    Parameters
    ----------
    path : pathlib.Path
        The file; made if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []

    def __enter__(self) -> RecordFile:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o666)
        try:
            _lock(self._descriptor, self.path)
            self.records, size = read_records(self.path)
            os.ftruncate(self._descriptor, size)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def append(self, record: Record) -> None:
        """Write one record, whole or not at all."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        end = os.fstat(self._descriptor).st_size
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, end)
            raise OSError(errno.ENOSPC, "No room for a whole record; it was not kept", self.path)
        os.fsync(self._descriptor)
        self.records.append(record)
