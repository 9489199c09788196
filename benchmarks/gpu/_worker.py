"""A process that runs steps, one after the other, and can be stopped in the middle of one.

One process serves all steps, since each would need ten seconds to import torch and find the GPU.
One that takes too long, or dies, is replaced for the next step.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

# Seconds that a stopped process has to end by itself.
_GRACE = 3.0


def _serve(orders: Connection) -> None:
    """Run each step that is ordered; send each row as it is found, then how the step ended."""
    os.setpgrp()  # what a step starts can be stopped with it
    while (order := orders.recv()) is not None:
        module, function, settings = order
        try:
            for row in getattr(import_module(module), function)(settings):
                orders.send(row)
            orders.send("done")
        except Exception:
            orders.send("failed: " + traceback.format_exc())


class Worker:
    """The process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: Any = None
        self._orders: Any = None

    def run(
        self, step: tuple[str, str], settings: Any, seconds: float, keep: Callable[[dict], None]
    ) -> str:
        """Run a step.

        Parameters
        ----------
        step : tuple of str and str
            A module, and its function that takes the settings and yields rows.
        settings : object
            What the function takes; is pickled.
        seconds : float
            The step is stopped after this time.
        keep : callable
            Is given each row as soon as it is there.

        Returns
        -------
        str
            "done", "stopped after N s", or "failed: " and why.
        """
        self._start()
        self._orders.send((*step, settings))
        end = time.monotonic() + seconds
        while self._orders.poll(max(0.0, end - time.monotonic())):
            try:
                found = self._orders.recv()
            except EOFError:
                self._process.join(_GRACE)
                code = self._process.exitcode
                self._process = None
                return f"failed: its process ended with code {code}"
            if isinstance(found, str):
                return found
            keep(found)
        self._kill()
        return f"stopped after {seconds:.0f} s"

    def _start(self) -> None:
        if self._process is None:
            context = get_context("spawn")
            self._orders, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,))
            self._process.start()
            theirs.close()  # so that the process's end is the end of what it sends

    def stop(self) -> None:
        """Let the process end."""
        if self._process is not None:
            self._orders.send(None)
            self._process.join(_GRACE)
            self._kill()

    def _kill(self) -> None:
        """End the process, and what it has started, by force if need be."""
        for way in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, way)
            except ProcessLookupError:  # it has not become a group's first yet, or has ended
                self._process.kill()
            self._process.join(_GRACE)
        self._process = None
