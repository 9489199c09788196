"""Labels, wherever they arrive: one per sample, none missing, all of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Set
from numbers import Number
from typing import Any

import numpy as np

from skactive._validation import Description, invalid

_SEVERAL = (list, tuple, set, frozenset, dict, np.ndarray)


def check_one_label(parameter: str, labels: Any) -> None:
    """Raise if there are several labels per sample.

    Parameters
    ----------
    parameter : str
        What the labels are called, for the error message.
    labels : array-like of N labels
        The labels; of anything that is no sequence nothing is said.

    Raises
    ------
    ValueError
        If they have several columns, or are lists, tuples, sets or mappings; and if all of them are
        a set, a mapping or a string, of which nobody can say which label is whose.
    """
    _check_order(parameter, labels)
    shape = getattr(labels, "shape", None)
    got = ""
    if shape is not None and len(shape) > 1:
        got = f"shape {tuple(shape)}" if shape[1] != 1 else ""
    elif isinstance(labels, (list, tuple)) or _holds_objects(labels):
        got = " and ".join(sorted({type(y).__name__ for y in labels if _is_several(y)}))
        got = f"{got} items" if got else ""
    if got:
        raise ValueError(
            f"{parameter} should be a 1d array of one label per sample, got {got}. Several labels "
            "per image are not supported: train one classifier per label."
            + _remedy_if_one_hot(parameter, labels)
        )


def _is_several(label: Any) -> bool:
    shape = tuple(getattr(label, "shape", ()))
    is_container = isinstance(label, _SEVERAL) and not hasattr(label, "shape")
    return is_container or shape not in ((), (1,))


def _check_order(parameter: str, labels: Any) -> None:
    if isinstance(labels, (Mapping, Set, str, bytes)):
        raise ValueError(
            f"{parameter} should be a 1d array of one label per sample, in the order of the "
            f"samples, got a {type(labels).__name__}. Pass a list: of a dict by position, "
            "[labels[i] for i in range(len(labels))]."
        )


def _remedy_if_one_hot(parameter: str, labels: Any) -> str:
    """Return what to do where each row has a single 1, and zeros besides."""
    if getattr(labels, "ndim", 0) != 2 or hasattr(labels, "tocsr"):
        return ""
    rows = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if not (np.isin(rows, (0, 1)).all() and ((rows == 1).sum(axis=1) == 1).all()):
        return ""
    array = f"{parameter}.to_numpy()" if hasattr(labels, "iloc") else parameter
    return f" One-hot rows become labels by {array}.argmax(axis=1)."


def _holds_objects(labels: Any) -> bool:
    return getattr(getattr(labels, "dtype", None), "kind", None) == "O"


def labels_of_one_kind(parameter: str, labels: Any, owner: object) -> tuple[np.ndarray, str]:
    """Return labels as an array, and what they are: numbers, strings, or the name of a type.

    NumPy turns numbers among strings into strings, and compares numbers with strings as strings.

    Parameters
    ----------
    parameter : str
        What the labels are called. Of `"classes"` no order is asked for.
    labels : array-like
        The labels.
    owner : object
        Whose parameter it is, for the error messages.

    Returns
    -------
    labels : ndarray
        The labels; of one kind, in one array.
    kind : str
        "numbers", "strings", "bytes", or the name of a type.

    Raises
    ------
    ValueError
        If one is missing, there are several per sample, or they are of several kinds.
    """
    if parameter != "classes":  # these may be a set
        _check_order(parameter, labels)
    is_array = hasattr(labels, "__array__")
    if not is_array and not np.iterable(labels):
        raise invalid(parameter, owner, "an array or a list of labels", labels)
    array = plain_array(labels) if is_array else np.fromiter(labels, object)
    if array.dtype == object:
        array = np.fromiter(map(_plain, array.flat), object).reshape(array.shape)
    _check_none_missing(parameter, array)
    known = KINDS.get(array.dtype.kind)
    kinds = {_kind(label) for label in array.flat} if known is None else {known}
    check_one_label(parameter, labels if is_array else array)
    if len(kinds) > 1:
        raise invalid(
            parameter,
            owner,
            "labels of one kind, numbers or strings",
            Description(" and ".join(sorted(kinds))),
            "Convert them, to strings by list(map(str, y)), say.",
        )
    if not is_array or array.dtype.kind == "T" or (array.dtype == object and kinds == {"numbers"}):
        array = np.array(array.tolist())
    return array, "".join(kinds)


def plain_array(values: Any) -> np.ndarray:
    """Return labels, weights or rows as an array of NumPy, with None for what is masked.

    Parameters
    ----------
    values : array-like
        An array, masked or not, a Series, a tensor on any device, with or without a gradient.

    Returns
    -------
    ndarray
        Its values; of objects where some are masked. bfloat16, which NumPy lacks, becomes float32.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    if not np.ma.is_masked(values):
        return np.asarray(values)
    array = np.asarray(values).astype(object)
    array[np.ma.getmaskarray(values)] = None
    return array


def _plain(label: Any) -> Any:
    """Return what NumPy would not see in an object: the text of a str that is also an Enum, say.

    NumPy cuts the name of such a member to the length of its text. Tensors and arrays of one item,
    and pyarrow's scalars, are the value that they hold.
    """
    if isinstance(label, str):
        return str.__str__(label)
    if label is np.ma.masked:
        return None
    if hasattr(label, "as_py"):
        return label.as_py()
    if isinstance(label, np.generic) or not hasattr(label, "item"):
        return label
    return label.item() if tuple(getattr(label, "shape", (0,))) in ((), (1,)) else label


# Of labels that are an array, by the kind of its dtype.
KINDS = {**dict.fromkeys("biuf", "numbers"), **dict.fromkeys("UT", "strings"), "S": "bytes"}


def _kind(label: Any) -> str:
    names = ((Number, "numbers"), (np.bool_, "numbers"), (str, "strings"), (bytes, "bytes"))
    return next((name for kind, name in names if isinstance(label, kind)), type(label).__name__)


def _check_none_missing(parameter: str, labels: np.ndarray) -> None:
    import pandas as pd

    kind = labels.dtype.kind
    if kind in "US":
        missing = np.flatnonzero(labels == ("" if kind == "U" else b""))
    elif kind in "fM":
        missing = np.flatnonzero(pd.isna(labels))
    elif kind in "OT":
        labels = labels.astype(object)  # in which pandas sees what is missing
        missing = np.flatnonzero(pd.isna(labels) | _are_empty(labels))
    else:
        return
    if len(missing):
        others = f", and at {len(missing) - 1} more" if len(missing) > 1 else ""
        first = labels.flat[missing[0]]
        empty = ", where it has an empty string" if isinstance(first, (str, bytes)) else ""
        raise ValueError(
            f"{parameter} has no label at position {missing[0]}{empty}{others}. Label these "
            "samples, or leave them out of X and y."
        )


def _are_empty(labels: np.ndarray) -> np.ndarray:
    """Return which objects are the empty string: what a table has where nothing was filled in."""
    found = (isinstance(label, (str, bytes)) and not label for label in labels.flat)
    return np.fromiter(found, bool, labels.size).reshape(labels.shape)
