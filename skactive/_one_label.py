"""One label per sample: several are refused by name, wherever labels arrive."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

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
    if isinstance(labels, (Mapping, Set, str, bytes)):
        raise ValueError(
            f"{parameter} should be a 1d array of one label per sample, in the order of the "
            f"samples, got a {type(labels).__name__}. Pass a list: of a dict by position, "
            "[labels[i] for i in range(len(labels))]."
        )
    shape = getattr(labels, "shape", None)
    got = ""
    if shape is not None and len(shape) > 1:
        got = f"shape {tuple(shape)}" if shape[1] != 1 else ""
    elif isinstance(labels, (list, tuple)) or _holds_objects(labels):
        got = " and ".join(sorted({type(y).__name__ for y in labels if isinstance(y, _SEVERAL)}))
        got = f"{got} items" if got else ""
    if got:
        raise ValueError(
            f"{parameter} should be a 1d array of one label per sample, got {got}. Several labels "
            "per image are not supported: train one classifier per label."
            + (f" One-hot rows become labels by {parameter}.argmax(axis=1)." * _one_hot(labels))
        )


def _one_hot(labels: Any) -> bool:
    """Whether each row has a single 1, and zeros besides."""
    if getattr(labels, "ndim", 0) != 2:
        return False
    rows = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
    return bool(np.isin(rows, (0, 1)).all() and ((rows == 1).sum(axis=1) == 1).all())


def _holds_objects(labels: Any) -> bool:
    return getattr(getattr(labels, "dtype", None), "kind", None) == "O"
