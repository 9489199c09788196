"""Strategies made of others: their parameters, their names, their seeds."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from skactive._rng import seed_sequence
from skactive._validation import invalid
from skactive.strategies.base._query_strategy import QueryStrategy, Selection


def seeded(
    members: Iterable[QueryStrategy], random_state: Any, owner: object
) -> tuple[list[QueryStrategy], np.random.Generator]:
    """Return strategies with seeds of their own from a `random_state`, and a generator besides.

    Parameters
    ----------
    members : iterable of QueryStrategy
        Left as they are.
    random_state : int, RandomState, Generator or None
        None leaves each with its own `random_state`.
    owner : object
        Whose parameter it is.

    Returns
    -------
    members : list of QueryStrategy
        Copies whose `random_state` is an int; the others' own where it is None.
    draw : numpy.random.Generator
        For what the owner itself draws.
    """
    members = list(members)
    own, *seeds = seed_sequence(random_state, owner).spawn(1 + len(members))
    if random_state is not None:
        members = [copy.copy(member) for member in members]  # a clone would unfit transformers
        for member, seed in zip(members, seeds, strict=True):
            member.random_state = int(seed.generate_state(1)[0] >> 1)
    return members, np.random.default_rng(own)


def values_of_picks(found: Selection) -> np.ndarray | None:
    """Return what each pick was worth, (n,): its gain, or else its utility; None if not known."""
    if found.gains is not None or found.utilities is None:
        return found.gains
    values = found.utilities[found.indices]
    return None if np.isnan(values).any() else values


def joined_values(values: list[np.ndarray | None]) -> np.ndarray | None:
    """Return what the picks of several selections were worth; None if not known of all."""
    known = [some for some in values if some is not None]
    return np.concatenate(known) if len(known) == len(values) else None


class Composition(QueryStrategy):
    """Base class of the strategies that hold a list of others.

    The list is the parameter that `_entries_parameter` names. An entry is a strategy, or a tuple
    with one in it; a tuple that begins with a string gives its name. Without that a strategy's name
    is its class's in lower case, followed by -1, -2, … where several share it. A parameter x of a
    member is the parameter `name__x` of the whole.
    """

    _with_work: ClassVar[str | None] = "exact"
    _entries_parameter: ClassVar[str]
    _must: ClassVar[str]

    def _named(self) -> list[tuple[str, QueryStrategy]]:
        """Return names and strategies; what is neither is left out, and found by `_check`."""
        entries = getattr(self, self._entries_parameter)
        found = [_parse(entry) for entry in entries] if isinstance(entries, (list, tuple)) else []
        automatic = Counter(_automatic(s) for name, s in found if s is not None and name is None)
        counted: Counter[str] = Counter()
        named = []
        for name, strategy in found:
            if strategy is None:
                continue
            if name is None:
                name = _automatic(strategy)
                counted[name] += 1
                name += f"-{counted[name]}" if automatic[name] > 1 else ""
            named.append((name, strategy))
        return named

    def _check(self) -> list[QueryStrategy]:
        """Return the strategies, or raise if the list or a name in it is not what it must be."""
        parameter, named = self._entries_parameter, self._named()
        entries = getattr(self, parameter)
        if not named or len(named) < len(entries):
            raise invalid(parameter, self, self._must, entries)
        names = [name for name, _ in named]
        if len(set(names)) < len(names):
            raise invalid(parameter, self, "a list of different names", names)
        for name in names:
            if "__" in name or name in self._get_param_names():
                must = "a list of names without '__', none of them a parameter of the whole"
                raise invalid(parameter, self, must, name)
        return [strategy for _, strategy in named]

    def _looking_at_all(self) -> QueryStrategy | None:
        found = (member._looking_at_all() for member in self._check())
        return next((one for one in found if one is not None), None)

    def _validate_params(self) -> None:
        super()._validate_params()
        self._check()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and those of the members as `name__parameter`.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the members, by name, and their parameters.

        Returns
        -------
        dict of str to object
            The parameters.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        for name, member in self._named() if deep else []:
            params[name] = member
            inner = member.get_params(deep=True)
            params.update({f"{name}__{key}": value for key, value in inner.items()})
        return params

    def set_params(self, **params: Any) -> Composition:
        """Set parameters; `name=` replaces a member, and `name__parameter` reaches into it.

        Parameters
        ----------
        **params : dict
            Names and values. The whole list is replaced first, then members, then parameters.

        Returns
        -------
        object
            The strategy itself.

        Raises
        ------
        InvalidParameterError
            If there is no such parameter or member, or a member would not be a strategy; the list
            is then left as it was.
        """
        own = self._get_param_names()
        before = {name: getattr(self, name) for name in own}
        try:
            return self._set_params(params)
        except BaseException:
            for name, value in before.items():
                setattr(self, name, value)
            raise

    def _set_params(self, params: dict[str, Any]) -> Composition:
        replaced: dict[str, Any] = {}
        inner: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, separator, parameter = key.partition("__")
            if separator:
                inner.setdefault(name, {})[parameter] = value
            elif key in self._get_param_names():
                setattr(self, key, value)
            else:
                replaced[key] = value
        if not replaced and not inner:
            return self
        self._check()
        names = [name for name, _ in self._named()]
        for name in [*replaced, *inner]:
            if name not in names:
                known = [*self._get_param_names(), *names]
                must = f"one of {known}, or name__parameter of a member"
                raise invalid("params", f"{type(self).__name__}.set_params", must, name)
        if replaced:  # in a new list, for another strategy may share the old one
            entries = getattr(self, self._entries_parameter)
            new = [
                _replaced(entry, replaced[name]) if name in replaced else entry
                for entry, name in zip(entries, names, strict=True)
            ]
            setattr(self, self._entries_parameter, new)
        # by the old names: a member that was replaced may have another class
        for name, member in zip(names, self._check(), strict=True):
            member.set_params(**inner.get(name, {}))
        return self


def _parse(entry: Any) -> tuple[str | None, QueryStrategy | None]:
    items = entry if isinstance(entry, tuple) else (entry,)
    name = items[0] if items and isinstance(items[0], str) else None
    return name, next((item for item in items if isinstance(item, QueryStrategy)), None)


def _automatic(strategy: QueryStrategy) -> str:
    return type(strategy).__name__.lower()


def _replaced(entry: Any, new: Any) -> Any:
    if not isinstance(entry, tuple):
        return new
    return tuple(new if isinstance(item, QueryStrategy) else item for item in entry)
