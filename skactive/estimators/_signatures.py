"""Constructors that declare their own parameters only, and show those of their base as well."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TypeVar

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
        both: dict[str, inspect.Parameter] = {**inherited, **own.parameters}
        return _show(init, own.replace(parameters=_named(both)))

    return decorate


def showing_names(init: _Init) -> _Init:
    """Leave `**nested` out of a constructor's signature: it is no parameter of an estimator.

    Parameters
    ----------
    init : function
        The constructor.

    Returns
    -------
    function
        The same.
    """
    own = inspect.signature(init)
    return _show(init, own.replace(parameters=_named(own.parameters)))


def _named(parameters: Mapping[str, inspect.Parameter]) -> list[inspect.Parameter]:
    return [p for p in parameters.values() if p.kind is not p.VAR_KEYWORD]


def _show(init: _Init, signature: inspect.Signature) -> _Init:
    init.__signature__ = signature  # type: ignore[attr-defined]
    return init
