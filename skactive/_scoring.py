"""The guard that leaves networks and generators as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from skactive._allocator import memory_kept
from skactive._device import module_device
from skactive._draws import drawn_from
from skactive._generators import put_back
from skactive._plain_torch import plain_torch

_NONE = object()
_LOCK = threading.Lock()
_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()


def lock_of(module: nn.Module) -> threading.RLock:
    """Return the lock for those who train a network or score with it, and change it meanwhile."""
    with _LOCK:
        return _LOCKS.setdefault(module, threading.RLock())


@contextmanager
def scoring(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation mode, and leave them as they were, also after an exception.

    Restored are each submodule's train or eval mode, each parameter's `requires_grad` and
    `.grad`, each buffer's values, the attributes in which forward keeps tensors, and the random
    generators, if the networks may draw from them in evaluation mode. Threads wait for each other
    where they use the same network. Code inside may call backward, whatever contexts of torch the
    caller is in (`plain_torch`).

    Parameters
    ----------
    *modules : torch.nn.Module
        The networks that are scored.

    Yields
    ------
    None
    """
    with ExitStack() as stack:
        stack.enter_context(plain_torch())
        stack.enter_context(memory_kept())
        for module in sorted(modules, key=id):  # in one order, lest two threads block each other
            stack.enter_context(lock_of(module))
            if drawn_from(module, training=False):
                stack.enter_context(put_back(module_device(module)))
        modes = [(m, m.training) for module in modules for m in module.modules()]
        attributes = [(vars(m), dict(vars(m))) for m, _ in modes]
        parameters = [
            (p, p.requires_grad, p.grad) for module in modules for p in module.parameters()
        ]
        buffers = [
            (submodule, name, buffer, buffer.detach().clone())
            for module in modules
            for submodule in module.modules()
            for name, buffer in submodule._buffers.items()
            if buffer is not None
        ]
        try:
            for parameter, _, _ in parameters:
                parameter.grad = None
            for module in modules:
                module.eval()
            yield
        finally:
            for submodule, mode in modes:
                submodule.training = mode
            for parameter, requires_grad, grad in parameters:
                parameter.requires_grad_(requires_grad)
                parameter.grad = grad
            for submodule, name, buffer, _ in buffers:
                submodule._buffers[name] = buffer  # forward may have put another one there
            for held, before in attributes:
                _put_tensors_back(held, before)
            _restore([(buffer, value) for *_, buffer, value in buffers])


@torch.no_grad()
def _restore(buffers: list[tuple[Tensor, Tensor]]) -> None:
    """Give buffers their former values where they have others; a GPU is waited for once."""
    by_device: dict[torch.device, list[tuple[Tensor, Tensor]]] = {}
    for buffer, value in buffers:
        by_device.setdefault(buffer.device, []).append((buffer, value))
    for pairs in by_device.values():
        differ = torch.stack([(buffer != value).any() for buffer, value in pairs])
        for (buffer, value), differs in zip(pairs, differ.tolist(), strict=True):
            if differs:
                buffer.copy_(value)


def _put_tensors_back(held: dict[str, Any], before: dict[str, Any]) -> None:
    """Give attributes of a module that hold tensors, or held some, their former values.

    What forward has put there may be no tensor any more once it has been differentiated, or hold
    the graph of a batch: neither can be copied.
    """
    changed = [name for name, value in held.items() if before.get(name, _NONE) is not value]
    changed += [name for name in before if name not in held]
    for name in changed:
        if not (_holds_tensors(held.get(name)) or _holds_tensors(before.get(name))):
            continue
        if name in before:
            held[name] = before[name]
        else:
            del held[name]


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, Tensor) or (
        isinstance(value, (list, tuple)) and any(isinstance(each, Tensor) for each in value)
    )
