"""Arrays of bytes out of Python 2's pickles, without running what the pickles ask for.

A pickle names the functions that rebuild its objects, so an altered one can run any code; and
NumPy's own functions trust the state they are given, so that an altered array can break uint8 for
the whole process or end it. Here every name stands for an inert object, and the array is built
from its parts after they have been checked.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from skactive.datasets._sources import damaged

_NUMPY_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _Inert:
    """What an array or a dtype is unpickled to: the arguments and the state, nothing done."""

    args: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _NUMPY_NAMES:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which no such file needs; refused"
            )
        return _Inert


def unpickle(file: Path, content: bytes) -> dict[str, Any]:
    """Return the dict that `content`, read from `file`, holds; strings are decoded as latin-1."""
    try:
        entry = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    # What the pickle module raises for a cut or altered file.
    except (
        pickle.UnpicklingError,
        AttributeError,
        EOFError,
        IndexError,
        KeyError,
        MemoryError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise damaged(file, f"it cannot be unpickled ({error})") from error
    if not isinstance(entry, dict):
        raise damaged(file, f"expected a pickled dict, found {type(entry).__name__}")
    return entry


def list_field(file: Path, entry: dict[str, Any], key: str, kind: type) -> list[Any]:
    """Return the list under `key`, whose items must all be of the given kind."""
    value = entry.get(key)
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise damaged(file, f"expected a list of {kind.__name__} under {key!r}")
    return value


def byte_rows(file: Path, entry: dict[str, Any], key: str, length: int) -> np.ndarray:
    """Return the uint8 array of shape (n_rows, length) that is pickled under `key`."""
    expected = f"expected an array of shape (n, {length}) and dtype uint8 under {key!r}"
    value = entry.get(key)
    # ndarray's pickled state: version, shape, dtype, whether in Fortran order, content.
    state = value.state if isinstance(value, _Inert) else None
    if not isinstance(state, tuple) or len(state) != 5:
        raise damaged(file, expected)
    _, shape, dtype, fortran, text = state
    if not (isinstance(shape, tuple) and all(isinstance(n, int) for n in shape)):
        raise damaged(file, expected)
    name = dtype.args[0] if isinstance(dtype, _Inert) and dtype.args else None
    if len(shape) != 2 or shape[1] != length or name != "u1":
        raise damaged(file, f"{expected}, found {shape} and {name!r}")
    try:
        content = text.encode("latin1")
    except (AttributeError, UnicodeEncodeError) as error:
        raise damaged(file, f"{expected}, found no bytes in it") from error
    if len(content) != shape[0] * length:
        raise damaged(
            file,
            f"expected {shape[0] * length} bytes under {key!r}, found {len(content)} bytes",
        )
    array = np.frombuffer(content, dtype=np.uint8)
    return array.reshape(shape, order="F" if fortran else "C")
