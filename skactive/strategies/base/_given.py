"""Embeddings as floats, one row per sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skactive._batches import as_tensor, check_finite
from skactive._device import NO_FLOAT64
from skactive._validation import Description, describe, invalid


def given_rows(name: str, values: Any, n: int, owner: object) -> Tensor:
    """Return embeddings that a user passes for n samples as finite floats (n, D), or raise."""
    shape: tuple[int, ...] = getattr(values, "shape", ())
    rows = _floats(values, n) if len(shape) >= 2 and shape[0] == n else None
    if rows is None:
        must = f"an array of shape ({n}, D), a row for each sample, of real numbers"
        raise invalid(name, owner, must, values)
    check_finite(rows, owner, name)
    return rows


def as_rows(values: Any, n: int, owner: object, device: torch.device | None = None) -> Tensor:
    """Return what embeds n samples as floats (n, D), outside of inference mode, or raise."""
    tensor = _floats(values, n)
    if tensor is None:
        raise invalid(
            "embeddings",
            owner,
            f"what returns a row of numbers for each of {n} samples, of real ones",
            Description(f"one that returns {describe(values)}"),
        )
    return tensor if device is None else tensor.to(device)


def _floats(values: Any, n: int) -> Tensor | None:
    """Return n rows of real numbers as float32 or float64, (n, D); None for anything else."""
    try:
        tensor = as_tensor(values.toarray() if hasattr(values, "toarray") else values)
    except (TypeError, ValueError):  # an array of objects, a ragged list
        return None
    if tensor.ndim < 2 or len(tensor) != n or tensor.is_complex():
        return None
    tensor = tensor.flatten(1)
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor
    # float32 has all integers of 16 bits, and half precision
    exact = tensor.element_size() <= 2 or tensor.device.type in NO_FLOAT64
    return tensor.to(torch.float32 if exact else torch.float64)
