"""One label per sample: several are refused by name, wherever labels arrive."""

from __future__ import annotations

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
        If they have several columns, or are lists, tuples, sets or mappings.
    """
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
        )


def _holds_objects(labels: Any) -> bool:
    return getattr(getattr(labels, "dtype", None), "kind", None) == "O"
