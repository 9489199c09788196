"""One form of message for every wrong argument, and the checks that several rooms share."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any, TypeGuard

import numpy as np

from skactive._faults import (
    DeclaredParameters,
    Description,
    InvalidParameterError,
    describe,
    invalid,
    on_behalf_of,
    owner_name,
)
from skactive._phrases import Phrase
from skactive.exceptions import SelectionError

__all__ = [
    "DeclaredParameters",
    "Description",
    "InvalidParameterError",
    "Phrase",
    "as_numbers",
    "check_count",
    "check_positions",
    "describe",
    "exact_share",
    "invalid",
    "is_number",
    "on_behalf_of",
    "owner_name",
]


def check_count(
    parameter: str,
    owner: object,
    value: Any,
    *,
    low: int = 1,
    high: int | None = None,
    high_is: str = "",
    remedy: str = "",
) -> int:
    """Return `value` as an int from `low` to `high`, or raise; bools are not counts."""
    good = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
    if good and value >= low and (high is None or value <= high):
        return int(value)
    if high is None:
        must = f"an int of at least {low}"
    else:
        must = f"an int from {low} to {high}" + (f" ({high_is})" if high_is else "")
    raise invalid(parameter, owner, must, value, remedy)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a real number of Python's or NumPy's; bools are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def check_positions(where: str, value: Any, n: int, n_pool: int) -> np.ndarray:
    """Return the positions that a strategy picked, or raise.

    Parameters
    ----------
    where : str
        What returned them, for the error message.
    value : list, array or tensor of int
        The positions.
    n : int
        The number that was requested.
    n_pool : int
        The size of the pool.

    Returns
    -------
    ndarray of shape (n,), int64
        The positions.

    Raises
    ------
    SelectionError
        If they are not n distinct positions of the pool.
    """
    must = f"{where} must return {n} distinct positions, ints from 0 to {n_pool - 1}"
    found = as_numbers(value)
    if found is None:
        got = describe(value) + ("" if value is None else f", of type {type(value).__name__},")
        remedy = "Put them into a list, an array, a tensor or a Selection."
        raise SelectionError(f"{must}. Got {got} instead. {remedy}")
    if found.shape != (n,) or found.dtype.kind not in "iu":
        remedy = " np.flatnonzero turns a mask into positions." if found.dtype.kind == "b" else ""
        raise SelectionError(f"{must}. Got {describe(value)} instead.{remedy}")
    outside = found[(found < 0) | (found >= n_pool)]
    if len(outside):
        raise SelectionError(f"{must}. Got position {outside[0]} among them.")
    values, counts = np.unique(found, return_counts=True)
    if len(values) < n:
        raise SelectionError(f"{must}. Got position {values[counts > 1][0]} more than once.")
    return found.astype(np.int64)


def as_numbers(value: Any) -> np.ndarray | None:
    """Return what a list, an array or a tensor on any device holds; None for anything else.

    A pandas Index is none of these: it may hold labels where positions are required.
    """
    try:
        if hasattr(value, "detach"):  # a tensor; NumPy has no bfloat16
            value = value.detach().cpu()
            return np.asarray(value.double() if value.is_floating_point() else value)
        return np.asarray(value) if isinstance(value, (list, np.ndarray)) else None
    except (TypeError, ValueError):  # a ragged list, a sparse tensor
        return None


def exact_share(fraction: float, total: int, *, up: bool = False) -> int:
    """Return ⌊fraction · total⌋, or the ceiling, of the decimal number that was written.

    Parameters
    ----------
    fraction : float
        A number such as 0.07, taken as the decimal that Python prints for it. In floating point
        0.07 · 100 is a little above 7, whose ceiling is 8, and 0.29 · 100 a little below 29.
    total : int
        The number that it is a fraction of.
    up : bool, default=False
        The ceiling instead of the floor.

    Returns
    -------
    int
        The share.

    Examples
    --------
    >>> exact_share(0.07, 100, up=True), exact_share(0.29, 100)
    (7, 29)
    """
    share = Decimal(repr(float(fraction))) * total
    return math.ceil(share) if up else math.floor(share)
