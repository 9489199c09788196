"""The process that trains while people label: `python -m skactive.labelling._worker FOLDER`.

It reads its strategy and estimator from stdin, if it is given some, and ends when that is closed.
The file of labels is all that it shares with others, so it may be killed at any time.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

from skactive.labelling._database import Database
from skactive.labelling._order import n_waiting
from skactive.labelling._settings import load_settings

# Seconds between beats; a worker that has been silent for longer is taken for dead.
BEAT, SILENT = 1.0, 10.0
_PAUSE = 0.3
# A round is due after so many new labels, or a tenth of those there are; images that were not read
# yet are read in pieces of so many, in between.
_NEW_LABELS, _READ = 10, 256


class Heart:
    """Writes, every second, that the worker lives and what it does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.doing: tuple[str, int, int] = ("starting", 0, 0)
        self._stopped = threading.Event()
        self.beat()
        threading.Thread(target=self._run, daemon=True).start()

    def report(self, doing: str, done: int, todo: int) -> None:
        """Say what is done now; written with the next beat."""
        self.doing = (doing, done, todo)

    def beat(self) -> None:
        """Write what is done now."""
        with self.database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO worker VALUES (1, ?, ?, ?, ?, ?)",
                (os.getpid(), time.time(), *self.doing),
            )

    def _run(self) -> None:
        while not self._stopped.wait(BEAT):
            self.beat()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()


def another_lives(database: Database) -> bool:
    """Return whether another worker of this folder has shown a sign of life lately."""
    rows = database.read("SELECT pid, beat FROM worker")
    return any(pid != os.getpid() and time.time() - beat < SILENT for pid, beat in rows)


def due(database: Database) -> bool:
    """Return whether a round would bring anything: there are enough labels that no round knew."""
    n_rounds = database.count("SELECT COUNT(*) FROM round")
    if n_rounds == 0:
        return True
    last = database.count("SELECT MAX(n_labels) FROM round WHERE ended IS NOT NULL")
    n = database.count(
        "SELECT COUNT(DISTINCT l.image) FROM label l JOIN image i ON i.id = l.image"
        " WHERE l.kind = 'label' AND i.share = 'pool'"
    )
    # A round that failed is tried again when there is something new.
    rows = database.read(
        "SELECT n_labels, started FROM round WHERE ended IS NOT NULL OR error != 'stopped'"
        " ORDER BY id DESC LIMIT 1"
    )
    tried, began = rows[0] if rows else (0, 0)
    if n - tried + n_corrected(database, began) >= max(_NEW_LABELS, last // 10):
        return True
    return n > tried and n_waiting(database) == 0


def n_corrected(database: Database, since: float) -> int:
    """Return how many labels of the pool a review has changed since then, in seconds."""
    return database.count(
        "SELECT COUNT(DISTINCT e.image) FROM event e JOIN image i ON i.id = e.image"
        " WHERE e.via = 'review' AND e.kind = 'label' AND e.at > ? AND i.share = 'pool'"
        " AND e.class != (SELECT class FROM event b WHERE b.image = e.image"
        " AND b.kind = 'label' AND b.id < e.id ORDER BY b.id DESC LIMIT 1)",
        int(since * 1e6),
    )


def forget_interrupted(database: Database) -> None:
    """Note that rounds which were under way have stopped."""
    with database.writing() as connection:
        connection.execute(
            "UPDATE round SET error = 'stopped' WHERE ended IS NULL AND error IS NULL"
        )


def wanted_review(database: Database) -> bool:
    """Return whether somebody asks for a review since the last one."""
    return database.get("review") == "wanted"


def work(folder: Path, strategy: Any, estimator: Any) -> None:
    """Train, query and review whenever that is due; for ever."""
    database = Database(folder)
    while another_lives(database):
        time.sleep(BEAT)
    heart = Heart(database)
    forget_interrupted(database)

    from skactive.labelling._review import review
    from skactive.labelling._rounds import Learner, in_order, run_round

    settings = load_settings(database)
    learner = Learner(database, folder, settings, strategy, estimator, heart.report)
    while True:
        if wanted_review(database):
            _attempt(lambda: review(learner))
            database.set("review", "done")
        elif database.get("seed") is not None and due(database):
            _attempt(lambda: run_round(learner))
        else:
            left = unread(database, settings.size)
            if left:
                _read(learner, in_order(database, "test") + in_order(database, "pool"))
            heart.report("waiting for labels", 0, 0)
            if not left:
                time.sleep(_PAUSE)


def unread(database: Database, size: int) -> bool:
    """Return whether there are images that are not in the cache yet."""
    sql = "SELECT 1 FROM image WHERE state = 'ok' AND cached != ? LIMIT 1"
    return database.value(sql, size) is not None


def _read(learner: Any, order: list[int]) -> None:
    """Read some images that are not in the cache yet."""
    size = learner.settings.size
    ready = {i for (i,) in learner.database.read("SELECT id FROM image WHERE cached = ?", size)}
    left = [i for i in order if i not in ready]
    learner.report("reading images", len(order) - len(left), len(order))
    learner.cache.fill(left[:_READ])


def _attempt(what: Any) -> None:
    """Do it; an error is noted where people see it, and does not end the worker."""
    try:
        what()
    except Exception:
        import traceback

        traceback.print_exc()


def _end_with_stdin() -> None:
    """Wait until stdin is closed, which is when the parent has ended, and end with it."""
    with contextlib.suppress(OSError):
        while sys.stdin.buffer.read(4096):
            pass
    os._exit(0)


def main() -> None:
    """Run the worker."""
    folder = Path(sys.argv[1])
    with contextlib.suppress(OSError, AttributeError):  # Windows has no such call
        os.nice(10)
    strategy, estimator = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    work(folder, strategy, estimator)


if __name__ == "__main__":
    main()
