"""Starts the worker, and starts it again if it dies."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skactive.labelling._database import HOME

_LOG = "worker.log"
# After so many workers in a row that died before anything was done, we give up.
_ATTEMPTS = 5


class Supervisor:
    """Keeps a worker alive as long as this process lives.

    Parameters
    ----------
    folder : Path
        The folder that is labelled.
    strategy, estimator : object or None
        What the worker uses; None for those of the stored settings.
    progress : callable
        Returns something else when a worker has got on since, such as the number of rounds.
    """

    def __init__(
        self,
        folder: Path,
        strategy: Any = None,
        estimator: Any = None,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self.folder = folder
        self._progress = progress
        self.log = folder / HOME / _LOG
        self.given_up = False
        self.worker: subprocess.Popen[bytes] | None = None
        self._what = pickle.dumps((strategy, estimator))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the worker, and watch it from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker."""
        self._stopped.set()
        if self.worker is not None:
            self.worker.kill()  # which it is made for
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        failed = 0
        while not self._stopped.is_set() and failed < _ATTEMPTS:
            before = self._progress()
            self._run_once()
            if self._stopped.is_set():
                return
            failed = failed + 1 if self._progress() == before else 1
            self._stopped.wait(min(failed, 3))
        self.given_up = failed == _ATTEMPTS

    def _run_once(self) -> None:
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "skactive.labelling._worker", str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the server, which ends the worker.
                start_new_session=True,
            )
        assert self.worker.stdin is not None
        try:
            self.worker.stdin.write(self._what)
            self.worker.stdin.flush()
        except OSError:  # it has ended already
            pass
        if self._stopped.is_set():
            self.worker.kill()
        code = self.worker.wait()
        self.worker.stdin.close()
        if not self._stopped.is_set():
            with self.log.open("a", encoding="utf-8") as file:
                file.write(_obituary(code))


def _obituary(code: int) -> str:
    """Return the line of the log that says how a worker has ended."""
    if code == -9:
        return "The worker was killed, as systems do that have no memory left.\n"
    return f"The worker ended with exit code {code}.\n"
