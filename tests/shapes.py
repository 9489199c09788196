"""The shapes in annotations, `Annotated[Tensor, "N C"]`, checked at each call.

The names of axes, and what they bind within one call, are jaxtyping's.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections import Counter
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from beartype import beartype
from jaxtyping import Shaped, jaxtyped

ROOMS = ("skactive.fisher.", "skactive.gradients.", "skactive.selection.")


def shapes_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters, and "return", whose annotations have shapes."""
    given = inspect.get_annotations(function)
    if not any("Annotated" in str(annotation) for annotation in given.values()):
        return {}
    found = get_type_hints(function, include_extras=True)
    return {name: _shaped(hint) for name, hint in found.items() if "Annotated" in str(hint)}


def _shaped(hint: Any) -> Any:
    """Return an annotation as jaxtyping has it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Shaped[hint.__origin__, hint.__metadata__[0]]
    if origin is tuple:
        return tuple[tuple(map(_shaped, parts))]
    return reduce(or_, map(_shaped, parts)) if origin in (Union, types.UnionType) else hint


def checked(function: Callable[..., Any], shapes: dict[str, Any], seen: Callable[[], Any]) -> Any:
    """Return a function that raises where a shape is another one than these."""
    plain = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    plain.__kwdefaults__, plain.__annotations__ = function.__kwdefaults__, shapes
    strict = jaxtyped(plain, typechecker=beartype)

    def call(*args: Any, **kwargs: Any) -> Any:
        seen()
        return strict(*args, **kwargs)

    return call


def check_all(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Check all functions and methods that have shapes; return how often each was called.

    A method that overrides one with shapes has the same ones.
    """
    calls: Counter[str] = Counter()

    def strict(name: str, function: Any, shapes: dict[str, Any]) -> Any:
        calls[name] += 0

        def seen() -> None:
            calls[name] += 1

        return checked(function, shapes, seen)

    modules = [module for name, module in sys.modules.items() if name.startswith("skactive.")]
    for room in [module for module in modules if module.__name__.startswith(ROOMS)]:
        own = [v for v in vars(room).values() if getattr(v, "__module__", "") == room.__name__]
        for function in filter(inspect.isfunction, own):
            if shapes := shapes_of(function):
                new = strict(f"{room.__name__}.{function.__name__}", function, shapes)
                _replace(function, new, modules, monkeypatch)
        for kind in filter(inspect.isclass, own):
            for name, method in list(vars(kind).items()):
                if inspect.isfunction(method) and (shapes := _inherited(kind, name)):
                    where = f"{room.__name__}.{kind.__name__}.{name}"
                    monkeypatch.setattr(kind, name, strict(where, method, shapes))
    return calls


def _replace(
    function: Any, new: Any, modules: list[types.ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        for name in [name for name, bound in vars(module).items() if bound is function]:
            monkeypatch.setattr(module, name, new)


def _inherited(kind: type, name: str) -> dict[str, Any]:
    """Return the shapes of a method with a body: its own, or those that it overrides."""
    methods = [vars(base)[name] for base in kind.__mro__ if name in vars(base)]
    if getattr(methods[0], "__isabstractmethod__", False):
        return {}
    return next(filter(None, map(shapes_of, methods)), {})
