"""Devices, and modules inside wrappers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skactive._validation import invalid

# Types in half precision.
HALF = frozenset({torch.float16, torch.bfloat16})
# Kinds of devices that do not compute in float64.
NO_FLOAT64 = {"mps"}


def resolve_device(device: str | torch.device | None, owner: object = "skactive") -> torch.device:
    """Turn a `device` argument into a torch device.

    Parameters
    ----------
    device : {"auto"}, str, torch.device or None
        "auto" and None mean CUDA if there is one, then MPS, then the CPU.
    owner : object, default="skactive"
        What has the parameter, for the error message.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    InvalidParameterError
        If torch does not know the device, or this machine does not have it.
    """
    if device is None or (isinstance(device, str) and device == "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    must = "'auto' or a torch device such as 'cpu', 'cuda', 'cuda:1' or 'mps'"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
        raise invalid("device", owner, must, device, "Pass device='auto'.") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise invalid(
            "device",
            owner,
            "a device of this machine, and torch finds no CUDA here",
            device,
            "Pass device='cpu' or 'auto', or install a CUDA build of torch and its driver.",
        )
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise invalid(
            "device",
            owner,
            f"one of the {torch.cuda.device_count()} CUDA devices here",
            device,
            "They are counted from cuda:0.",
        )
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise invalid(
            "device",
            owner,
            "a device of this machine, and torch finds no MPS here",
            device,
            "Pass device='cpu' or 'auto'.",
        )
    if resolved.type not in ("cpu", "cuda", "mps"):
        raise invalid("device", owner, must, device, "Pass device='auto'.")
    return resolved


def same_device(a: torch.device, b: torch.device) -> bool:
    """Whether two names are of one device: "cuda" is "cuda:0"."""
    return a.type == b.type and (a.index or 0) == (b.index or 0)


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter or buffer; the CPU if it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for what a CUDA device is computing."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def unwrap(module: nn.Module) -> nn.Module:
    """Return the module inside `torch.compile`, DataParallel and DistributedDataParallel."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        elif isinstance(module, parallel):
            module = module.module
        else:
            return module
