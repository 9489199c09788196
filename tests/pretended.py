"""A pretended device: "meta" to torch, with real numbers behind it that the CPU computes with.

Inside `pretended()` a tensor that is moved to "meta", or made there, keeps its numbers on the CPU,
and every operation on it is run on these. As on a CUDA device, an operation that mixes devices is
refused. Each operation for whose result Python would wait until such a device has computed
everything before it is noted: see `Device.waits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
META = torch.device("meta")
# Their result, or its shape, is read on the CPU.
_WAITING = {
    aten._local_scalar_dense: "item",
    aten.equal: "equal",
    aten.is_nonzero: "item",
    aten.nonzero: "nonzero",
    aten.nonzero_numpy: "nonzero",
    aten.masked_select: "nonzero",
    aten._unique2: "unique",
    aten.unique_dim: "unique",
    aten.unique_consecutive: "unique",
    aten.repeat_interleave: "repeat_interleave",
    aten.bincount: "bincount",
}
_INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
# These are between devices.
_BETWEEN = {aten._to_copy, aten.copy_}


class There(Tensor):
    """A tensor on the pretended device."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> There:
        there = Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=META,
            requires_grad=False,
        )
        there.numbers = numbers
        return there

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} met a tensor of the pretended device outside of pretended()")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self) -> str:
        return f"There({self.numbers!r})"


class Device(TorchDispatchMode):
    """Runs what concerns the pretended device.

    Attributes
    ----------
    waits : Counter
        How often, and for what, Python waited for the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        with self:  # in inference mode, what consists of other operations comes here as a whole
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        flat, _ = tree_flatten((args, kwargs))
        tensors = [value for value in flat if isinstance(value, Tensor)]
        there = any(isinstance(value, There) for value in tensors)
        asked = kwargs.get("device")
        asked = None if asked is None else torch.device(asked)
        if not there and asked != META:
            return func(*args, **kwargs)
        packet = func.overloadpacket
        if there and packet not in _BETWEEN:
            _check_one_device(func, args, tensors)
        if packet in _WAITING:
            self.waits[_WAITING[packet]] += 1
        if packet in _INDEXING:
            self._note_index(args[1])
        if asked is not None:
            kwargs["device"] = torch.device("cpu")
        if packet is aten.copy_ and isinstance(args[1], There) and not isinstance(args[0], There):
            self.waits["copy to the CPU"] += 1
        if packet is aten._to_copy and asked is not None and asked != META:
            self.waits["copy to the CPU"] += 1
            there = False
        if packet is aten._to_copy and asked == META and not kwargs.get("non_blocking"):
            self.waits["copy from the CPU"] += not there
        return self._run(func, args, kwargs, there or asked == META)

    def _note_index(self, index: Any) -> None:
        for one in index:
            if isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8):
                self.waits["nonzero"] += 1
            if isinstance(one, Tensor) and not isinstance(one, There):
                self.waits["copy from the CPU"] += 1

    def _run(self, func: Any, args: Any, kwargs: dict[str, Any], wrap: bool) -> Any:
        known = {
            id(value.numbers): value
            for value in tree_flatten((args, kwargs))[0]
            if isinstance(value, There)
        }

        def behind(value: Any) -> Any:
            return value.numbers if isinstance(value, There) else value

        def back(value: Any) -> Any:
            if not isinstance(value, Tensor) or not wrap:
                return value
            return known[id(value)] if id(value) in known else There(value)

        result = func(*tree_map(behind, args), **tree_map(behind, kwargs))
        if func.overloadpacket is aten.copy_:
            return args[0]
        return tree_map(back, result)


class _FromNumbers(TorchFunctionMode):
    """Brings numbers to the pretended device, also those of an index: torch would lose them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        made = func in {torch.tensor, torch.as_tensor, torch.asarray}
        if made and kwargs.get("device") is not None and torch.device(kwargs["device"]) == META:
            del kwargs["device"]
            return func(*args, **kwargs).to(META)
        if func in {Tensor.__getitem__, Tensor.__setitem__} and isinstance(args[0], There):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = (args[0], tuple(map(_as_index, index)), *args[2:])
        return func(*args, **kwargs)


def _as_index(part: Any) -> Any:
    """Return what an index of Python or NumPy numbers is there; no number at all is no float."""
    if not isinstance(part, (list, np.ndarray)):
        return part
    numbers = np.asarray(part)
    return torch.as_tensor(numbers if numbers.size else numbers.astype(int)).to(META)


def _check_one_device(func: Any, args: Any, tensors: list[Tensor]) -> None:
    """Raise if some tensor is elsewhere, as CUDA does: a number, or an index, may be on the CPU."""
    if func.overloadpacket in _INDEXING:
        tensors = [value for value in (args[0], *args[2:]) if isinstance(value, Tensor)]
    elsewhere = [value for value in tensors if not isinstance(value, There) and value.ndim > 0]
    if elsewhere:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {func} got one of shape "
            f"{tuple(elsewhere[0].shape)} on the CPU"
        )


@contextmanager
def pretended() -> Iterator[Device]:
    """Let "meta" be a device that computes.

    Yields
    ------
    Device
        Notes what is waited for.
    """
    autocast = torch.autocast

    def without_meta(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return autocast("cpu" if device_type == "meta" else device_type, *args, **kwargs)

    with patch.object(torch, "autocast", without_meta), Device() as device, _FromNumbers():
        yield device
