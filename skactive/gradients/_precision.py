"""What a network computes in inside its forward, beside the type of its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from skactive._validation import Description, InvalidParameterError, invalid


class FloatTypes(TorchFunctionMode):
    """Notes, inside the `with` block, in which types numbers are returned by torch's functions.

    Attributes
    ----------
    seen : set of torch.dtype
        The types.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        returned = function(*args, **(kwargs or {}))
        if isinstance(returned, Tensor) and returned.is_floating_point():
            self.seen.add(returned.dtype)
        return returned


def computes_in_half(
    module: nn.Module, owner: str, what: str, dtype: torch.dtype
) -> InvalidParameterError:
    """Return the error for a network that computes in half precision though its weights do not.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    owner : str
        The function that scores.
    what : str
        What is in half precision: the output, or that of a layer.
    dtype : torch.dtype
        The type that it has.

    Returns
    -------
    InvalidParameterError
        The error.
    """
    name = str(dtype).removeprefix("torch.")
    return invalid(
        "module",
        owner,
        "a network that computes in float32 or float64",
        Description(f"{type(module).__name__}, of which {what} is in {name},"),
        "If its forward opens an autocast of its own, have it do so in training only: "
        "torch.autocast(..., enabled=self.training).",
    )
