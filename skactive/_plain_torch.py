"""torch as it is where nobody has changed it, inside whatever contexts the caller is in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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


class _Float32:
    """Makes float32 the default while any thread is inside; the last one puts it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = torch.float32

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = torch.get_default_dtype()
            self._inside += 1
            self._set(torch.float32)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, dtype: torch.dtype) -> None:
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)


_FLOAT32 = _Float32()
