"""Whether two settings of an estimator are the same, by value."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn


def kept(value: Any) -> Any:
    """Return what to compare a setting with later, whatever happens to it until then."""
    if isinstance(value, (list, tuple)):
        return [kept(item) for item in value]
    if isinstance(value, Mapping):
        return {key: kept(item) for key, item in value.items()}
    if hasattr(value, "to_numpy"):
        return kept(value.to_numpy())
    # Other objects stay the same ones, also where an estimator is pickled or copied with them.
    return copy.copy(value) if isinstance(value, (set, np.ndarray, Tensor)) else value


def same_value(a: Any, b: Any) -> bool:
    """Tell whether two settings are the same.

    Lists, tuples, ranges, arrays, tensors and what pandas has are compared by their items, mappings
    and partial functions by what they hold, paths by their text, modules by their structure, and
    the rest by `==`, which is identity for functions.

    Parameters
    ----------
    a, b : object
        The settings.

    Returns
    -------
    bool
        Whether they are.
    """
    if a is b:
        return True
    if isinstance(a, nn.Module) or isinstance(b, nn.Module):
        return type(a) is type(b) and repr(a) == repr(b)
    if isinstance(a, functools.partial) and isinstance(b, functools.partial):
        return same_value([a.func, a.args, a.keywords], [b.func, b.args, b.keywords])
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    a, b = _array(a), _array(b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype != object:
        return np.array_equal(a, b)
    a, b = _items(a), _items(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_value, a, b))
    return bool(a == b)


def _array(value: Any) -> Any:
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    if not isinstance(value, Tensor):
        return value
    value = value.detach().cpu()  # NumPy has no bfloat16
    return (value.double() if value.is_floating_point() else value).numpy()


def _items(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple, range)):
        return list(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value
