"""Starts the worker, and starts it again if it dies."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from skactive.labelling._database import HOME

_LOG = "worker.log"
# One that lives for less than so many seconds has failed; after so many in a row we give up.
_BRIEF, _ATTEMPTS = 20.0, 5


class Supervisor:
    """Keeps a worker alive as long as this process lives.

    Parameters
    ----------
    folder : Path
        The folder that is labelled.
    strategy, estimator : object or None
        What the worker uses; None for those of the stored settings.
    """

    def __init__(self, folder: Path, strategy: Any = None, estimator: Any = None) -> None:
        self.folder = folder
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
            began = time.monotonic()
            self._run_once()
            failed = failed + 1 if time.monotonic() - began < _BRIEF else 0
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
        self.worker.wait()
        self.worker.stdin.close()
