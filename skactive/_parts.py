"""The estimators inside an estimator, also those that its parameters hold in lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def parts(estimator: Any) -> list[Any]:
    """Return an estimator and every one inside it.

    Parameters
    ----------
    estimator : estimator
        Has `get_params`.

    Returns
    -------
    list of estimator
        Itself first.
    """
    return [part for _, part in _walk("", estimator, set())]


def unnamed_parts(estimator: Any) -> list[tuple[str, Any]]:
    """Return the estimators inside one that `get_params` does not name, such as those in lists.

    A Pipeline or a VotingClassifier names what is in its list, a Committee does not.

    Parameters
    ----------
    estimator : estimator
        Has `get_params`.

    Returns
    -------
    list of (str, estimator)
        Where each is, such as "learner_list[0].estimator", and the estimator.
    """
    named = {id(estimator), *map(id, estimator.get_params(deep=True).values())}
    return [(place, part) for place, part in _walk("", estimator, set()) if id(part) not in named]


def is_part(value: Any) -> bool:
    """Whether a value has parameters that can be got and set."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def _walk(place: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    inside: list[tuple[str, Any]] = []
    if is_part(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield place, value
        dot = f"{place}." if place else ""
        inside = [(f"{dot}{key}", inner) for key, inner in value.get_params(deep=False).items()]
    elif isinstance(value, (list, tuple)):
        inside = [(f"{place}[{i}]", inner) for i, inner in enumerate(value)]
    elif isinstance(value, Mapping):
        inside = [(f"{place}[{key!r}]", inner) for key, inner in value.items()]
    for where, inner in inside:
        yield from _walk(where, inner, seen)
