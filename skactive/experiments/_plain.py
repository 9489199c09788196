"""Parameters in a form that can be stored and compared, with the user's own code behind them."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Set
from types import BuiltinMethodType, MethodType, ModuleType, NoneType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from skactive._batches import n_rows, take_rows
from skactive._items import is_pil
from skactive._one_label import plain_array
from skactive._own_code import Nested, OwnCode, is_own
from skactive._paths import home_expanded
from skactive._validation import InvalidParameterError

# A round's own seed replaces `random_state`, and `verbose` changes no number.
_WITHOUT_EFFECT = frozenset({"random_state", "verbose"})
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def described(value: Any) -> Any:
    """Turn a parameter into what JSON can hold, with the code that it runs under "code".

    Parameters
    ----------
    value : object
        An estimator, a strategy, a scorer.

    Returns
    -------
    object
        What `plain` makes of it; where there is code of the user's own, a dict.

    Raises
    ------
    InvalidParameterError
        If there is something in it that cannot be told from another of its kind.
    """
    reader = _Reader()
    told = reader.plain(value)
    if not reader.code.found:
        return told
    found = dict(sorted(reader.code.found.items()))
    return (told if isinstance(told, dict) else {"is": told}) | {"code": found}


def plain(value: Any) -> Any:
    """Turn a parameter into what JSON can hold, the same in every process."""
    return _Reader().plain(value)


class _Reader:
    """Describes values, and collects the code of those that have code of the user's own."""

    def __init__(self) -> None:
        self.code = OwnCode(self.plain)
        self._nested = Nested()

    def plain(self, value: Any) -> Any:
        """Describe any value."""
        if isinstance(value, np.generic):  # first: np.float64 is a float, too
            item = value.item()
            return repr(value) if isinstance(item, np.generic) else self.plain(item)
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has no NaN, and NaN differs from itself
        if value is None or isinstance(value, (bool, int, float, str)):
            return value if type(value) in (type(None), bool, int, float, str) else repr(value)
        if isinstance(value, (np.ndarray, Tensor)):
            return fingerprint(value)
        return self._nested.describe(value, self._composed)

    def _composed(self, value: Any) -> Any:
        if isinstance(value, (list, tuple, range)):
            return [self.plain(item) for item in value]
        if isinstance(value, Mapping):
            return {str(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, Set):
            return sorted((self.plain(item) for item in value), key=repr)
        if isinstance(value, functools.partial):
            parts = {"args": value.args, "keywords": value.keywords}
            return {"partial": self.plain(value.func)} | self.plain(parts)
        owner = getattr(value, "__self__", None)
        if isinstance(value, (MethodType, BuiltinMethodType)) and not isinstance(
            owner, (ModuleType, NoneType)
        ):
            of = self.plain(owner) if isinstance(owner, type) else self._whole(owner)
            return {"method": value.__name__, "of": of}
        if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
            self.code.add(value)
            return _named(_path(value))
        return self._instance(value)

    def _instance(self, value: Any) -> Any:
        """Describe an instance by its parameters, if it has any, or by what it holds."""
        if hasattr(value, "tocsr"):
            return fingerprint(value)
        if isinstance(value, bytes):
            return {"bytes": len(value), "checksum": hashlib.sha256(value).hexdigest()[:16]}
        if is_pil(value):
            palette = np.asarray(value.getpalette()) if value.mode in ("P", "PA") else None
            return {"mode": value.mode, "image": self.plain([np.asarray(value), palette])}
        if hasattr(value, "to_numpy") and hasattr(value, "__len__"):
            return self._table(value)
        if isinstance(value, torch.nn.Module):
            return self._module(value)
        if not hasattr(value, "get_params"):
            return self._object(value)
        self.code.add(type(value))
        # What clones itself may keep what it has learned, as a FrozenEstimator does; skactive's own
        # clones differ in their callbacks alone.
        clones = getattr(type(value), "__sklearn_clone__", None)
        usual = clones is getattr(BaseEstimator, "__sklearn_clone__", None) or clones is None
        if not usual and not clones.__module__.startswith("skactive."):
            return self._whole(value)
        parameters = value.get_params(deep=False)
        kept = {
            key: self.plain(parameters[key]) for key in parameters if key not in _WITHOUT_EFFECT
        }
        weights = parameters.get("weights")
        if isinstance(weights, (str, os.PathLike)) and os.path.isfile(home_expanded(weights)):
            kept["weights"] = {"file": os.fspath(weights), "checksum": _checksum(weights)}
        return {"class": _path(type(value)), "params": kept}

    def _table(self, table: Any) -> dict[str, Any]:
        """Describe a frame, a Series or an Index of pandas, whose reprs leave rows out."""
        told: dict[str, Any] = {
            "class": _path(type(table)),
            "name": self.plain(getattr(table, "name", None)),
            "dtype": str(getattr(table, "dtype", "")),
        }
        if hasattr(table, "iloc"):
            told["index"] = fingerprint(np.asarray(table.index))
        if hasattr(table, "columns"):
            told["columns"] = [self.plain(column) for _, column in table.items()]
        else:
            told["values"] = fingerprint(np.asarray(table))
        return told

    def _module(self, module: torch.nn.Module) -> dict[str, Any]:
        weights = {key: self.plain(tensor) for key, tensor in module.state_dict().items()}
        told = {
            "class": _path(type(module)),
            "layers": _without_address(module),
            "weights": weights,
        }
        for name, part in module.named_modules():
            self.code.add(type(part))
            if is_own(type(part)):  # what such a module holds need not be in its repr
                held = {key: part.__dict__[key] for key in part.__dict__ if key[0] != "_"}
                told[f"attributes {name}".rstrip()] = self.plain(held)
        return told

    def _object(self, value: Any) -> Any:
        """Describe an object that has no parameters: by its repr, if that says what it is.

        Of arrays that it holds, a repr leaves numbers out.
        """
        kind = type(value)
        text = repr(value)
        before = dict(self.code.found)
        try:
            state = self._whole(value)
        except InvalidParameterError as error:
            if kind.__repr__ is object.__repr__ or _ADDRESS.search(text):
                raise _untold(value) from error
            return _named(text)
        own = self.code.found != before
        plainly = kind.__repr__ is not object.__repr__ and not _ADDRESS.search(text) and not own
        plainly = plainly and not _holds_arrays(state)
        return _named(_ADDRESS.sub("", text)) if plainly or state["state"] == [] else state

    def _whole(self, value: Any) -> Any:
        """Describe an object by its class and all that it holds, what it has learned included."""
        if isinstance(value, torch.nn.Module):
            return self._module(value)
        kind = type(value)
        self.code.add(kind)
        return {"class": _path(kind), "state": self._held(value)}

    def _held(self, value: Any) -> Any:
        if hasattr(value, "get_params") and hasattr(value, "__dict__"):
            held = {key: vars(value)[key] for key in vars(value) if key not in _WITHOUT_EFFECT}
            return {key: self._kept(inner) for key, inner in held.items()}
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise _untold(value) from error
        if isinstance(reduced, str):
            return reduced
        made, arguments, *rest = reduced
        bare = arguments[:1] == (type(value),) and not any(arguments[1:])
        if bare and not any(rest):
            return []  # nothing but its class
        rest = [list(part) if hasattr(part, "__next__") else part for part in rest]
        return [self._kept(piece) for piece in [made, arguments, *rest] if piece is not None]

    def _kept(self, value: Any) -> Any:
        """Describe what an object holds; estimators in it with what they have learned."""
        if hasattr(value, "get_params") and not isinstance(value, type):
            return self._whole(value)
        if isinstance(value, (list, tuple)):
            return [self._kept(item) for item in value]
        if isinstance(value, Mapping):
            return {str(key): self._kept(item) for key, item in value.items()}
        return self.plain(value)


def _holds_arrays(told: Any) -> bool:
    """Whether what was told of an object has the checksum of an array in it."""
    if isinstance(told, dict):
        return {"shape", "checksum"} <= told.keys() or any(map(_holds_arrays, told.values()))
    return isinstance(told, list) and any(map(_holds_arrays, told))


def _named(description: str) -> str:
    if "<lambda>" in description:
        raise InvalidParameterError(
            f"run_experiment cannot tell {description} from another lambda, and results that are "
            "kept have to say what they come from. Give the function a name with def."
        )
    return description


def _untold(value: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"run_experiment cannot tell {_without_address(value)} from another "
        f"{type(value).__name__}, and results that are kept have to say what they come from. Give "
        "the class a __repr__ that says what decides its numbers, or leave out=None."
    )


def _without_address(value: Any) -> str:
    """Return the repr; the default one ends in an address, which changes between processes."""
    return _ADDRESS.sub("", repr(value))


def _path(named: Any) -> str:
    """Return where a class or function is imported from; private files may be renamed."""
    public = [part for part in str(named.__module__).split(".") if not part.startswith("_")]
    return ".".join([*public, named.__qualname__])


def fingerprint(X: Any) -> dict[str, Any]:
    """Describe data by shape, dtype and the first 16 hex digits of a SHA-256 of the values.

    Of objects, such as images in a Series, the values are those that they hold.
    """
    digest = hashlib.sha256()
    shape: list[int] = []
    dtype = ""
    X = X.reshape(1) if getattr(X, "shape", None) == () else X
    total, block = n_rows(X), 1024
    for start in range(0, max(total, 1), block):
        rows = _as_array(take_rows(X, slice(start, start + block)))
        for values in _numbers(rows):
            digest.update(values)
        shape, dtype = [total, *rows.shape[1:]], rows.dtype.name
    return {"shape": shape, "dtype": dtype, "checksum": digest.hexdigest()[:16]}


def _checksum(path: str | os.PathLike[str]) -> str:
    """Return the first 16 hex digits of the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(home_expanded(path), "rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()[:16]


def _as_array(rows: Any) -> Any:
    """Return rows as an array; sparse ones stay sparse, images of several sizes objects."""
    if hasattr(rows, "tocsr"):
        return rows
    shapes = {getattr(row, "shape", ()) for row in rows} if isinstance(rows, list) else set()
    if len(shapes) > 1 or (isinstance(rows, list) and any(isinstance(r, Tensor) for r in rows)):
        rows = [plain_array(row) if hasattr(row, "shape") else row for row in rows]
    return plain_array(np.fromiter(rows, object) if len(shapes) > 1 else rows)


def _numbers(rows: Any) -> Iterator[bytes]:
    if hasattr(rows, "tocsr"):
        rows = rows.tocsr(copy=True)
        rows.sum_duplicates()  # sorts them, too
        for part in (rows.indptr, rows.indices):
            yield np.asarray(part, np.int64).tobytes()
        yield rows.data.tobytes()
    elif rows.dtype.kind == "O":
        yield repr(_contents(rows.tolist())).encode()
    else:
        yield np.ascontiguousarray(rows).tobytes()


def _contents(value: Any) -> Any:
    """Describe an object of a data set: by its repr, unless that leaves out what it holds."""
    if value is None or isinstance(value, (str, bytes, int, float, np.generic)):
        return value
    if isinstance(value, list):
        return [_contents(item) for item in value]
    holds = isinstance(value, (tuple, Mapping)) or is_pil(value) or hasattr(value, "shape")
    return plain(value) if holds or _ADDRESS.search(repr(value)) else value
