"""What tells a network from every other one: weights, structure, settings, code."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Mapping, MutableMapping, MutableSet, Set
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._own_code import Nested, OwnCode, is_own
from skactive.estimators._file_table import traces_of_file

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
# What torch keeps of a module by itself: told otherwise, or of no effect on what it returns.
_TORCHS = frozenset(vars(nn.Module())) - {*_HOOKS}
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def digest_of(network: nn.Module) -> bytes:
    """Return what tells a network from others, the same in every process.

    Parameters
    ----------
    network : torch.nn.Module
        The network. Told are its parameters and buffers; of every layer the class, its `forward`,
        the hooks and all attributes, be they numbers, tensors, functions or objects; and the user's
        own code with what it refers to. The mode and `requires_grad` are not, nor what is in lists,
        dicts and sets that code refers to, which may be where it notes what it has seen.

    Returns
    -------
    bytes
        A digest.
    """
    teller = _Teller()
    told = [teller.tell(network)]
    told += [f"{name} {value}" for name, value in sorted(teller.code.found.items())]
    return hashlib.blake2b("\n".join(told).encode(), digest_size=32).digest()


class _Teller:
    """Describes values, and collects the user's own code in them."""

    def __init__(self) -> None:
        self.code = OwnCode(self._referred)
        self._nested = Nested()

    def _referred(self, value: Any) -> str:
        """Describe what code refers to."""
        notes = isinstance(value, (list, MutableMapping, MutableSet))
        return self.tell(type(value)) if notes else self.tell(value)

    def tell(self, value: Any) -> str:
        """Describe a value."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, Tensor):
            return _numbers(value)
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "OV":
            return _numbers(torch.from_numpy(np.atleast_1d(value).copy()))
        return self._nested.describe(value, self._composed)

    def _composed(self, value: Any) -> str:
        if isinstance(value, Mapping):
            return str([(self.tell(key), self.tell(item)) for key, item in value.items()])
        if isinstance(value, Set):
            return str(sorted(map(self.tell, value)))
        if isinstance(value, (list, tuple)):
            return str(list(map(self.tell, value)))
        if isinstance(value, functools.partial):
            return f"partial {self.tell([value.func, value.args, value.keywords])}"
        if isinstance(value, MethodType):
            return f"{self.tell(value.__func__)} of {self.tell(value.__self__)}"
        if isinstance(value, (FunctionType, type)):
            self.code.add(value)
            return f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, nn.Module):
            return self._network(value)
        self.code.add(type(value))
        if is_own(type(value)):
            return f"{self.tell(type(value))} {self.tell(getattr(value, '__dict__', {}))}"
        return f"{self.tell(type(value))} {_ADDRESS.sub('', repr(value))}"

    def _network(self, network: nn.Module) -> str:
        tensors = (*network.named_parameters(), *network.named_buffers())
        told = [repr(network), *map(self._layer, network.named_modules())]
        return "\n".join([*told, *(f"{name} {_numbers(tensor)}" for name, tensor in tensors)])

    def _layer(self, named: tuple[str, nn.Module]) -> str:
        """Describe a layer, without its parameters, buffers and the layers inside."""
        name, layer = named
        held = _attributes(layer)
        # without their keys, numbers that count all hooks of a process
        held |= {key: list(held[key].values()) for key in _HOOKS}
        code = getattr(inspect.unwrap(type(layer).forward), "__code__", None)
        steps: tuple[Any, ...] = ()
        if code is not None:
            constants = [value for value in code.co_consts if _is_plain(value)]
            steps = (code.co_names, constants, code.co_code)
        return f"{name} {self.tell(type(layer))} {steps} {self.tell(held)}"


def _numbers(values: Tensor) -> str:
    flat = values.detach().cpu().contiguous().reshape(-1)
    digest = hashlib.blake2b(flat.view(torch.uint8).numpy().data, digest_size=32)
    return f"{values.dtype} {tuple(values.shape)} {digest.hexdigest()}"


def _attributes(layer: nn.Module) -> dict[str, Any]:
    return {key: value for key, value in vars(layer).items() if key not in _TORCHS}


def _is_plain(value: Any) -> bool:
    """Whether a value's repr says all of it."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain([*pair]) for pair in value.items())
    return isinstance(value, _PLAIN)


def traces_of(module: nn.Module) -> tuple[list[Tensor], list[str]]:
    """Return what changes when a module is changed, and is quickly had: tensors, and traces.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    tensors : list of Tensor
        Parameters and buffers.
    states : list of str
        Where they are and how often they were written to; of each layer the class and attributes,
        of those that say nothing of what they hold where they are.
    """
    tensors = [*module.parameters(), *module.buffers()]
    layers = []
    for name, layer in module.named_modules():
        held = _attributes(layer)
        held |= {key: list(map(id, held[key].values())) for key in _HOOKS}
        told = {key: repr(item) if _is_plain(item) else id(item) for key, item in held.items()}
        layers.append(f"{name} {id(type(layer))} {told}")
    return tensors, [*states_of(tensors), *layers]


def states_of(tensors: list[Tensor]) -> list[str]:
    """Return where tensors are, and how often they were written to."""
    return [f"{t.data_ptr()} {0 if t.is_inference() else t._version}" for t in tensors]


def states_of_weights(weights: Any) -> list[str]:
    """Return what changes when a file of weights, or the tensors of a state dict do."""
    if isinstance(weights, Mapping):
        return states_of([value for value in weights.values() if isinstance(value, Tensor)])
    if isinstance(weights, (str, os.PathLike)) and os.path.isfile(weights):
        return [repr(traces_of_file(os.stat(weights)))]
    return []
