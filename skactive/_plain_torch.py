"""torch as it is where nobody has changed it, inside whatever contexts the caller is in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

_DEVICES = ("cpu", "cuda", "mps", "xpu")


@contextmanager
def plain_torch() -> Iterator[None]:
    """Compute as outside of autocast, `inference_mode`, `no_grad` and other defaults.

    Inside, gradients are recorded, autocast is off, and new tensors are float32 and on the CPU
    unless code says otherwise; afterwards all is as it was. Only the default dtype is process-wide:
    while any thread is inside, it is float32 for all.

    Yields
    ------
    None
    """
    known = filter(torch.amp.is_autocast_available, _DEVICES)
    autocast = [kind for kind in known if torch.is_autocast_enabled(kind)]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in autocast:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_FLOAT32)
        if autocast:  # it keeps copies of weights, made without gradients perhaps
            torch.clear_autocast_cache()
        try:
            yield
        finally:
            if autocast:  # and they may have moved
                torch.clear_autocast_cache()


class Switched:
    """Keeps a switch of the process in one position while any thread is inside.

    The last one to leave puts it back.

    Parameters
    ----------
    get, turn : callable
        Return its position, and set it.
    position : object
        Where it is kept.
    """

    def __init__(self, get: Callable[[], Any], turn: Callable[[Any], Any], position: Any) -> None:
        self._get, self._turn, self._position = get, turn, position
        self._lock = threading.Lock()
        self._inside = 0
        self._before = position

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = self._get()
            self._inside += 1
            self._set(self._position)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, position: Any) -> None:
        if self._get() != position:
            self._turn(position)


_FLOAT32 = Switched(torch.get_default_dtype, torch.set_default_dtype, torch.float32)
