"""`teach` of a modAL learner: whole, or not at all."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch

from skactive._interrupts import interrupts_come_out
from skactive._parts import parts

__all__ = ["make_whole"]

# Those that train, and so have to be whole; `__init__` has nothing to go back to.
_METHODS = ("teach", "fit", "rebag")


def make_whole(classes: Iterable[type]) -> None:
    """Make methods that train leave a learner or a committee as it was where they fail.

    modAL adds the samples first and trains then. An error or a Ctrl-C in between left a learner
    with labels that it refused at each later call, or that it counted twice.

    Parameters
    ----------
    classes : iterable of type
        The classes of modAL whose own `teach`, `fit` and `rebag` are replaced. Of a Ctrl-C while
        `__init__` trains, no learner is left.
    """
    for kind in classes:
        for name in _METHODS:
            if name in vars(kind):
                setattr(kind, name, _whole(vars(kind)[name]))
        if "__init__" in vars(kind):
            kind.__init__ = _interruptible(vars(kind)["__init__"])  # type: ignore[misc]


def _whole(stock: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(stock)

    @functools.wraps(stock)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        # A DeepActiveLearner trains its network further unless it is told not to.
        before = _states(self, bool(given.arguments.get("warm_start")))
        try:
            with interrupts_come_out():  # skorch ends training on them, and returns
                return stock(self, *args, **kwargs)
        except BaseException:
            for owner, state, filled in before:
                vars(owner).clear()
                vars(owner).update(state)
                for value, items in filled:
                    value[:] = items
            raise

    return method


def _interruptible(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)  # keeps the signature, from which scikit-learn reads the parameters
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        with interrupts_come_out():
            stock(self, *args, **kwargs)

    return __init__


def _states(learner: Any, goes_on: bool) -> list[tuple[Any, dict[str, Any], list[Any]]]:
    """Return the attributes of a learner and of all in it, and lists among them with their items.

    `fit` replaces what an earlier one has left, so that the attributes alone have to be put back;
    or it clears lists, as skorch does the history. What is trained further is changed in place, and
    has to be copied.
    """
    states = []
    for part in _inside(learner):
        if hasattr(part, "__dict__"):
            state = dict(vars(part))
            if part is not learner and (goes_on or _trained_in_place(part)):
                with suppress(Exception):  # not everything can be copied
                    state = copy.deepcopy(state)
            filled = [(value, list(value)) for value in state.values() if isinstance(value, list)]
            states.append((part, state, filled))
    return states


def _inside(learner: Any) -> list[Any]:
    """Return a learner, those of a committee, and the estimators in them."""
    found = parts(learner)
    owners = [*getattr(learner, "learner_list", []), learner]
    others = [owner.estimator for owner in owners if hasattr(owner, "estimator")]
    return found + [other for other in others if not any(other is part for part in found)]


def _trained_in_place(estimator: Any) -> bool:
    """Whether `fit` changes weights that are there, instead of making new ones."""
    params = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    return bool(params.get("warm_start")) or any(
        isinstance(value, torch.nn.Module) for value in params.values()
    )
