"""Embeddings as floats, one row per sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skactive._batches import as_tensor, check_finite
from skactive._validation import Description, describe, invalid


def given_rows(name: str, values: Any, n: int, owner: object) -> Tensor:
    """Return embeddings that a user passes for n samples as finite floats (n, D), or raise."""
    shape: tuple[int, ...] = getattr(values, "shape", ())
    if len(shape) < 2 or shape[0] != n:
        raise invalid(name, owner, f"an array of shape ({n}, D), a row for each sample", values)
    rows = as_rows(values, n, owner)
    check_finite(rows, owner, name)
    return rows


def as_rows(values: Any, n: int, owner: object, device: torch.device | None = None) -> Tensor:
    """Return what embeds n samples as floats (n, D), outside of inference mode, or raise."""
    tensor = as_tensor(values.toarray() if hasattr(values, "toarray") else values)
    if tensor.ndim < 2 or len(tensor) != n:
        raise invalid(
            "embeddings",
            owner,
            f"what returns a row of numbers for each of {n} samples",
            Description(f"one that returns {describe(values)}"),
        )
    tensor = tensor.flatten(1)
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor if device is None else tensor.to(device)
