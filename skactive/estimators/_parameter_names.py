"""The names of parameters as the user's module has them, and patterns that are to match some."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from typing import Any

from skorch.callbacks import ParamMapper
from torch import nn

from skactive._device import unwrap
from skactive._validation import InvalidParameterError, invalid

_PATTERNS = "patterns of the module's own names of parameters, each of which matches some"


def own_parameters(whole: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Give the parameters of a ClassifierNetwork, by the names inside the user's module.

    Parameters
    ----------
    whole : ClassifierNetwork
        A network behind its input layer, possibly compiled.

    Yields
    ------
    name : str
        Such as "fc.weight", where `whole` has "network.fc.weight".
    parameter : torch.nn.Parameter
        The parameter.
    """
    for name, parameter in unwrap(whole).named_parameters():
        yield name.removeprefix("network."), parameter


def check_callbacks(net: Any, owner: object) -> None:
    """Raise if a pattern of skorch's Freezer, Initializer and the like matches no parameter.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net, initialised.
    owner : object
        Whose callbacks these are, for the error message.
    """
    for name, callback in net.callbacks_:
        if isinstance(callback, ParamMapper):
            known = [key for key, _ in callback.named_parameters(net)]
            given = callback.patterns
            for pattern in given if isinstance(given, (list, tuple)) else [given]:
                if not _matches(pattern, known):
                    raise _no_match(
                        f"callbacks__{name}__patterns", _PATTERNS, owner, pattern, known
                    )


def check_param_groups(groups: Any, network: nn.Module, owner: object) -> None:
    """Raise unless each of an optimizer's groups has parameters.

    Parameters
    ----------
    groups : sequence of (str, mapping)
        A pattern of names, and settings for those that no earlier pattern matches.
    network : torch.nn.Module
        The user's module.
    owner : object
        Whose setting it is, for the error message.
    """
    pairs = isinstance(groups, Sequence) and all(
        isinstance(group, (tuple, list)) and len(group) == 2 and isinstance(group[0], str)
        for group in groups
    )
    if not pairs:
        raise invalid(
            "optimizer__param_groups",
            owner,
            "a list of pairs (pattern, settings), such as [('fc*', {'lr': 0.1})]",
            groups,
        )
    left = [name for name, _ in network.named_parameters()]
    for pattern, _ in groups:
        if not _matches(pattern, left):
            must = f"{_PATTERNS} that no earlier one does"
            raise _no_match("optimizer__param_groups", must, owner, pattern, left)
        left = [name for name in left if not fnmatch(name, pattern)]


def near_names(name: str, known: Sequence[str]) -> str:
    """Return a sentence with the names that are close to one, or with the first few."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Near it are {', '.join(near)}."
    if not known:
        return "There are none left."
    return f"There are {', '.join(known[:8])}{', …' if len(known) > 8 else ''}."


def _matches(pattern: Any, names: Iterable[str]) -> bool:
    if callable(pattern):
        return any(pattern(name) for name in names)
    return isinstance(pattern, str) and any(fnmatch(name, pattern) for name in names)


def _no_match(
    parameter: str, must: str, owner: object, pattern: Any, known: Sequence[str]
) -> InvalidParameterError:
    branches = [f"{name[:i]}*" for name in known for i, letter in enumerate(name) if letter == "."]
    remedy = near_names(str(pattern), [*dict.fromkeys(branches), *known])
    return invalid(parameter, owner, must, pattern, remedy)
