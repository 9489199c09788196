"""Guards that leave generators and networks as they were."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from skactive._allocator import memory_kept
from skactive._device import module_device
from skactive._plain_torch import plain_torch

# Seeding a fit or a query borrows the process-wide generators. Two threads that borrow them
# at once would see each other's draws, so borrowing is serialised; parallel work uses processes.
_GENERATORS = threading.RLock()


@contextmanager
def isolated_rng(seed: int | None = None, device: torch.device | None = None) -> Iterator[None]:
    """Lend the process-wide random generators as `lent_rng` does; threads take turns.

    Parameters
    ----------
    seed : int or None, default=None
        Seeds all of them inside the block; None leaves their state.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    with _GENERATORS, lent_rng(seed, device):
        yield


@contextmanager
def lent_rng(seed: int | None = None, device: torch.device | None = None) -> Iterator[None]:
    """Lend the process-wide random generators, and put them back as they were.

    Python's `random`, NumPy's legacy generator, torch's CPU generator and, where `device` is a
    CUDA device, its generator. What runs inside may start threads that take `isolated_rng`, which
    they could not do from inside one.

    Parameters
    ----------
    seed : int or None, default=None
        Seeds all of them inside the block; None leaves their state.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    cuda = device if device is not None and device.type == "cuda" else None
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch_state = torch.default_generator.get_state()
    cuda_state = None if cuda is None else torch.cuda.get_rng_state(cuda)
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.default_generator.manual_seed(seed)
            if cuda is not None:
                with torch.cuda.device(cuda):
                    torch.cuda.manual_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.default_generator.set_state(torch_state)
        if cuda is not None and cuda_state is not None:
            torch.cuda.set_rng_state(cuda_state, cuda)


@contextmanager
def scoring(*modules: nn.Module, seed: int | None = None) -> Iterator[None]:
    """Put modules into evaluation mode, and leave them as they were, also after an exception.

    Restored are each submodule's train or eval mode, each parameter's `requires_grad` and
    `.grad`, each buffer's values, and the random generators. Code inside may call backward,
    whatever contexts of torch the caller is in (`plain_torch`).

    Parameters
    ----------
    *modules : torch.nn.Module
        The networks that are scored.
    seed : int or None, default=None
        Seeds the generators inside the block, for networks that draw in evaluation mode.

    Yields
    ------
    None
    """
    with ExitStack() as stack:
        stack.enter_context(plain_torch())
        stack.enter_context(memory_kept())
        for device in {module_device(m) for m in modules} or {torch.device("cpu")}:
            stack.enter_context(isolated_rng(seed, device))
        modes = [(m, m.training) for module in modules for m in module.modules()]
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
