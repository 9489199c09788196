"""State dicts that networks start from: given, or read from a file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from os import PathLike
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from skactive._paths import home_expanded
from skactive._validation import Description, Phrase, invalid


def read_state(weights: Any, owner: object) -> OrderedDict[str, Tensor]:
    """Return a state dict, to be changed at will.

    Parameters
    ----------
    weights : mapping of str to Tensor, str or path
        The state dict, or the file that `torch.save` has put it into.
    owner : object
        Whose parameter it is, for the error messages.

    Returns
    -------
    OrderedDict of str to Tensor
        The same tensors, with the versions of the modules that saved them, where they are known.
    """
    state = weights if isinstance(weights, Mapping) else _loaded(weights, owner)
    whole = isinstance(state, Mapping) and len(state) > 0
    if not whole or not all(isinstance(value, Tensor) for value in state.values()):
        inside = Description(f"one with the keys {list(map(str, state))[:5]}") if whole else weights
        raise invalid(
            "weights",
            owner,
            "a state dict, a mapping of tensors, or a file with one",
            inside,
            "If it is inside of a larger checkpoint, pass torch.load(path)[key]." if whole else "",
        )
    copied = OrderedDict(state)
    if hasattr(state, "_metadata"):  # versions of modules, by which they read older states
        copied._metadata = state._metadata  # type: ignore[attr-defined]
    return copied


def _loaded(weights: Any, owner: object) -> Any:
    if not isinstance(weights, (str, PathLike)):
        must = Phrase("the path of a file with a state dict, or {None}")
        raise invalid("weights", owner, must, weights)
    try:
        return torch.load(home_expanded(weights), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, UnpicklingError) as error:
        raise invalid(
            "weights",
            owner,
            "the path of a file with a state dict, or the name of torchvision's "
            "weights for a 'torchvision/NAME' module",
            weights,
            f"Reading it failed ({type(error).__name__}). Save one with "
            "torch.save(network.state_dict(), path).",
        ) from error
