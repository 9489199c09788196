"""Constructors that declare their own parameters only, and show those of their base as well."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

_Init = TypeVar("_Init", bound=Callable[..., None])


def extending(base: Callable[..., None]) -> Callable[[_Init], _Init]:
    """Give a constructor that passes `**settings` on to its base's the signature of both.

    scikit-learn finds an estimator's parameters in the signature of its constructor.

    Parameters
    ----------
    base : function
        The constructor of the base class.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(init: _Init) -> _Init:
        own, inherited = inspect.signature(init), inspect.signature(base).parameters
        both: dict[str, Any] = {**inherited, **own.parameters}
        named = [p for p in both.values() if p.kind is not p.VAR_KEYWORD]
        rest = [p for p in inherited.values() if p.kind is p.VAR_KEYWORD]
        signature: Any = own.replace(parameters=[*named, *rest])
        init.__signature__ = signature  # type: ignore[attr-defined]
        return init

    return decorate
