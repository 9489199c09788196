"""Ctrl-C comes out of what would swallow it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Those that a program may be asked to stop by; Windows has SIGBREAK, and no SIGHUP.
_STOPPING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


@contextmanager
def interrupts_come_out() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block if a signal has raised one inside.

    skorch ends training on a KeyboardInterrupt, whoever raises it, and `fit` returns as if all was
    well: for its own callbacks that is how to stop. So the signals are watched rather than the
    estimators: it does not matter what swallows the exception, nor how deep it sits. What else is
    raised after such a signal, of a network that is trained by half, say, is not the reason.

    Outside of the main thread, which alone gets signals, nothing is watched; nor is a signal that
    is ignored, or that ends the process.

    Yields
    ------
    None
    """
    raised: list[KeyboardInterrupt] = []
    before = _watch(raised)
    try:
        yield
    except Exception as error:
        if raised:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if raised:
        raise KeyboardInterrupt


def _watch(raised: list[KeyboardInterrupt]) -> dict[int, Any]:
    """Note each KeyboardInterrupt that the handlers of signals raise; return these handlers."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in _STOPPING}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number, handler in before.items():
        signal.signal(number, _noting(handler, raised))
    return before


def _noting(handler: Callable[..., Any], raised: list[KeyboardInterrupt]) -> Callable[..., Any]:
    def note(number: int, frame: Any) -> None:
        try:
            handler(number, frame)
        except KeyboardInterrupt as interrupt:
            raised.append(interrupt)
            raise

    return note
