"""The command line: `skactive label`, `skactive demo`, `skactive run` and `skactive report`."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import skactive
from skactive._phrases import one_line
from skactive.cli._arguments import Parser
from skactive.cli._demo import add_demo
from skactive.cli._label import add_label, add_labels, told_of_labels
from skactive.cli._report import add_report
from skactive.cli._run import add_run
from skactive.cli._words import told
from skactive.exceptions import UnsupportedEstimatorError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        The exit code: 0, or 1 if a strategy failed and others went on, or 2 after a user error, or
        130 after Ctrl-C.

    Examples
    --------
    >>> from skactive.cli import main
    >>> main(["demo", "--rounds", "1", "--data-path", "here"])
    2
    """
    arguments = _parser().parse_args(argv)  # brings no torch; what runs a command imports it
    try:
        if getattr(arguments, "torch", True):
            _import_torch(arguments)
        return arguments.run(arguments) or 0
    except (ValueError, UnsupportedEstimatorError, OSError, ImportError) as error:
        message = one_line(told(error, arguments.words, arguments.options))
        print(f"skactive {arguments.command}: error: {message}", file=sys.stderr)
        return 2
    except sqlite3.Error as error:
        print(f"skactive {arguments.command}: error: {told_of_labels(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(_stopped(arguments), file=sys.stderr)
        return 130


def _import_torch(arguments: argparse.Namespace) -> None:
    """Import what every command computes with; meanwhile Ctrl-C ends the process at once.

    The KeyboardInterrupt of Ctrl-C would abort torch's C++ at some places, with a core dump.
    """

    def leave(*_: Any) -> NoReturn:
        print(_stopped(arguments), file=sys.stderr, flush=True)
        os._exit(130)

    # Python handles signals in the main thread only; one that is ignored has to stay so.
    ours = (
        "torch" not in sys.modules
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, leave)
    try:
        from skactive import estimators, experiments  # noqa: F401
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _stopped(arguments: argparse.Namespace) -> str:
    """Return the message after Ctrl-C."""
    stopped = f"\nskactive {arguments.command}: stopped."
    if arguments.out and Path(arguments.out).is_dir():
        kept = f"The finished rounds are in {arguments.out}; the same command goes on from there."
        return f"{stopped} {kept}"
    return stopped


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="skactive", description="Deep active learning for images.")
    parser.add_argument("--version", action="version", version=f"skactive {skactive.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    add_label(commands)
    add_labels(commands)
    add_demo(commands)
    add_run(commands)
    add_report(commands)
    return parser
