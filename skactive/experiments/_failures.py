"""Runs that failed: kept apart with their errors, while the others go on."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from skactive._phrases import one_line
from skactive._whole_files import write_whole
from skactive.experiments._records import Record, read_json

FAILURES_FILE = "failures.json"


class Failure(TypedDict):
    """A run that failed: which, in which round, by what error."""

    dataset: str
    strategy: str
    seed: int
    round: int
    error: str
    traceback: str


@dataclass(frozen=True)
class Failed:
    """A round that failed, with the exception itself."""

    failure: Failure
    exception: Exception


def failed(dataset: str, strategy: str, seed: int, round_: int, error: Exception) -> Failed:
    """Describe a round that failed, and let go of what the frames of its traceback hold.

    They hold networks and batches, on a GPU perhaps, which those that go on have need of.
    """
    text = "".join(traceback.format_exception(error))
    seen: list[BaseException] = []  # an exception may be the cause of itself
    inside: BaseException | None = error
    while inside is not None and not any(inside is one for one in seen):
        traceback.clear_frames(inside.__traceback__)
        seen.append(inside)
        inside = inside.__cause__ or inside.__context__
    failure = Failure(
        dataset=dataset,
        strategy=strategy,
        seed=seed,
        round=round_,
        error=f"{type(error).__name__}: {error}",
        traceback=text,
    )
    return Failed(failure, error)


def portable(result: Failed) -> Failed:
    """Return a failure that reaches another process: not every exception can be unpickled."""
    try:
        pickle.loads(pickle.dumps(result.exception))
    except Exception:
        return Failed(result.failure, RuntimeError(result.failure["error"]))
    return result


def announce(failure: Failure) -> str:
    """Say in a sentence what failed."""
    return (
        f"{failure['strategy']!r} with seed {failure['seed']} failed in round {failure['round']} "
        f"({one_line(failure['error'])})"
    )


class FailureFile:
    """What is known of failed runs in a folder; rewritten as a whole, and removed when empty.

    Parameters
    ----------
    folder : pathlib.Path or None
        The folder of the experiment; None keeps no file.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        stored = [] if folder is None else read_failures(folder)
        self.by_run = {(failure["strategy"], failure["seed"]): failure for failure in stored}

    def add(self, failure: Failure) -> None:
        """Enter a run that failed."""
        self.by_run[failure["strategy"], failure["seed"]] = failure
        self._write()

    def passed(self, record: Record) -> None:
        """Strike out a run that is over the round in which it had failed."""
        run = record["strategy"], record["seed"]
        if run in self.by_run and record["round"] >= self.by_run[run]["round"]:
            del self.by_run[run]
            self._write()

    def _write(self) -> None:
        if self.folder is None:
            return
        path = self.folder / FAILURES_FILE
        if not self.by_run:
            path.unlink(missing_ok=True)
            return
        write_whole(path, json.dumps(list(self.by_run.values()), indent=2) + "\n")


def read_failures(folder: Path) -> Sequence[Failure]:
    """Return the runs in a folder that failed and have not been finished since."""
    path = folder / FAILURES_FILE
    return read_json(path, list) if path.is_file() else []
