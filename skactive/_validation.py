"""One form of message for every wrong argument, and the checks that several rooms share."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

__all__ = [
    "Description",
    "InvalidParameterError",
    "check_count",
    "describe",
    "exact_share",
    "invalid",
    "on_behalf_of",
    "owner_name",
]


def describe(value: Any) -> str:
    """Describe a value in a few words: arrays by shape and dtype, the rest by its repr."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None and len(shape) > 0:
        return f"an array of shape {tuple(shape)} and dtype {dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


class Description(str):
    """Words that stand for a value in a message, where its repr would say too little."""


def owner_name(owner: object) -> str:
    """Return the name to print for a function, a class, an object, or a string itself."""
    if isinstance(owner, str):
        return owner
    return getattr(owner, "__name__", None) or type(owner).__name__


def invalid(
    parameter: str, owner: object, must: str, got: Any, remedy: str = ""
) -> InvalidParameterError:
    """Build the error for a wrong argument, in scikit-learn's form with the remedy after it.

    Parameters
    ----------
    parameter : str
        The name of the parameter.
    owner : object
        What has the parameter: a function, an estimator, a strategy, or the name to print.
    must : str
        What the parameter must be; completes "must be ...".
    got : object
        What arrived; a `Description` is printed as it is.
    remedy : str, default=""
        What to do about it; a sentence.

    Returns
    -------
    InvalidParameterError
        A ValueError (and TypeError, as in scikit-learn), to be raised by the caller.
    """
    name = owner_name(owner)
    got = got if isinstance(got, Description) else describe(got)
    message = f"The {parameter!r} parameter of {name} must be {must}. Got {got} instead."
    return InvalidParameterError(f"{message} {remedy}".rstrip())


@contextmanager
def on_behalf_of(owner: object, **names: str) -> Iterator[None]:
    """Name the parameters of a caller in the messages about those of what it calls.

    Parameters
    ----------
    owner : object
        The caller, whose parameters the user has set.
    **names : str
        Parameters that have another name there.

    Yields
    ------
    None
    """
    try:
        yield
    except InvalidParameterError as error:
        found = re.match(r"The '(\w+)' parameter of \S+ must be ", str(error))
        if found is None:
            raise
        parameter = names.get(found[1], found[1])
        message = f"The {parameter!r} parameter of {owner_name(owner)} must be "
        raise InvalidParameterError(message + str(error)[found.end() :]) from error


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
    """Return `value` as an int from `low` to `high`, or raise; bools are no counts."""
    good = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
    if good and value >= low and (high is None or value <= high):
        return int(value)
    if high is None:
        must = f"an int of at least {low}"
    else:
        must = f"an int from {low} to {high}" + (f" ({high_is})" if high_is else "")
    raise invalid(parameter, owner, must, value, remedy)


def exact_share(fraction: float, total: int, *, up: bool = False) -> int:
    """Return ⌊fraction · total⌋, or the ceiling, of the decimal number that was written.

    Parameters
    ----------
    fraction : float
        A number such as 0.07, taken as the decimal that Python prints for it. In floating point
        0.07 · 100 is a little above 7, whose ceiling is 8, and 0.29 · 100 a little below 29.
    total : int
        What there is a share of.
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
