"""Strategies made of others: their parameters, their names, their seeds."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from skactive._rng import seed_sequence
from skactive._validation import invalid
from skactive.strategies._base import QueryStrategy


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


class Composition(QueryStrategy):
    """Base class of the strategies that hold a list of others.

    The list is the parameter that `_entries_parameter` names. An entry is a strategy, or a tuple
    with one in it; a tuple that begins with a string gives its name. Without that a strategy's name
    is its class's in lower case, followed by -1, -2, … where several share it. A parameter x of a
    member is the parameter `name__x` of the whole.
    """

    _entries_parameter: ClassVar[str]
    _must: ClassVar[str]

    def _members(self) -> dict[str, QueryStrategy]:
        """Return the strategies by name; what has the wrong form is left out, for later checks."""
        entries = getattr(self, self._entries_parameter)
        found = [_parse(entry) for entry in entries] if isinstance(entries, (list, tuple)) else []
        automatic = Counter(_automatic(s) for name, s in found if name is None and s is not None)
        members: dict[str, QueryStrategy] = {}
        counted: Counter[str] = Counter()
        for name, strategy in found:
            if strategy is None:
                continue
            if name is None:
                name = _automatic(strategy)
                if automatic[name] > 1:
                    counted[name] += 1
                    name = f"{name}-{counted[name]}"
            members[name] = strategy
        return members

    def _check_names(self) -> None:
        parameter, members = self._entries_parameter, self._members()
        entries = getattr(self, parameter)
        for name in members:
            if "__" in name or name in self._get_param_names():
                must = "a list of names without '__', none of them a parameter of the whole"
                raise invalid(parameter, self, must, name)
        if not entries or len(members) < len(entries):
            names = [_parse(entry)[0] for entry in entries]
            got = entries if len(set(names) - {None}) == len(names) or None in names else names
            raise invalid(parameter, self, self._must, got)

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
        if deep:
            for name, member in self._members().items():
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
        """
        own = {key: value for key, value in params.items() if key in self._get_param_names()}
        for key, value in own.items():
            setattr(self, key, value)
        replaced = {key: params[key] for key in params.keys() - own.keys() if "__" not in key}
        inner: dict[str, dict[str, Any]] = {}
        for key in params.keys() - own.keys() - replaced.keys():
            name, _, parameter = key.partition("__")
            inner.setdefault(name, {})[parameter] = params[key]
        names = list(self._members())
        if replaced or inner:
            self._check_names()
        for name in [*replaced, *inner]:
            if name not in names:
                must = (
                    f"one of {[*self._get_param_names(), *names]}, or name__parameter of a member"
                )
                raise invalid("params", f"{type(self).__name__}.set_params", must, name)
        if replaced:  # in a new list, for another strategy may share the old one
            entries = getattr(self, self._entries_parameter)
            new = [_replaced(e, replaced.get(n)) for e, n in zip(entries, names, strict=True)]
            setattr(self, self._entries_parameter, new)
        # under the old names: a replaced member may have another class
        members = dict(zip(names, self._members().values(), strict=True))
        for name, values in inner.items():
            members[name].set_params(**values)
        return self


def _parse(entry: Any) -> tuple[str | None, QueryStrategy | None]:
    items = entry if isinstance(entry, tuple) else (entry,)
    name = items[0] if items and isinstance(items[0], str) else None
    return name, next((item for item in items if isinstance(item, QueryStrategy)), None)


def _automatic(strategy: QueryStrategy) -> str:
    return type(strategy).__name__.lower()


def _replaced(entry: Any, new: Any) -> Any:
    if new is None:
        return entry
    if not isinstance(entry, tuple):
        return new
    return tuple(new if isinstance(item, QueryStrategy) else item for item in entry)
