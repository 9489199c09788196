"""The user's own callbacks: their names, their parameters, and copies for clones."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

from skorch.callbacks import Callback

from skactive._validation import invalid


def named_callbacks(callbacks: Any) -> list[tuple[str, Any]]:
    """Return callbacks with the names that skorch gives them.

    Parameters
    ----------
    callbacks : list of (callback or pair of a name and one), or None
        As an estimator has them.

    Returns
    -------
    list of (str, skorch.callbacks.Callback or subclass of it)
        Those without a name of their own have that of their class, with a number where it is
        needed.
    """
    if not isinstance(callbacks, (list, tuple)):
        return []
    pairs = [_pair(item) for item in callbacks]
    inferred = Counter(name for name, _, given in pairs if not given)
    seen: Counter[str] = Counter()
    named = []
    for name, callback, given in pairs:
        if not given and inferred[name] > 1:
            seen[name] += 1
            name = f"{name}_{seen[name]}"
        named.append((name, callback))
    return named


def checked_callbacks(callbacks: Any, owner: object) -> list[tuple[str, Any]]:
    """Return callbacks with their names, or raise.

    Parameters
    ----------
    callbacks : object
        As an estimator has them.
    owner : object
        Whose they are, for the error messages.

    Returns
    -------
    list of (str, skorch.callbacks.Callback or subclass of it)
        See `named_callbacks`.
    """
    named = named_callbacks(callbacks)
    kinds = [c if isinstance(c, type) else type(c) for _, c in named]
    if not all(isinstance(n, str) for n, _ in named) or not all(
        issubclass(kind, Callback) for kind in kinds
    ):
        must = "a list of skorch callbacks, or of pairs (name, callback)"
        raise invalid("callbacks", owner, must, callbacks)
    return named


def check_names(net: Any, owner: object) -> None:
    """Raise if two of a net's callbacks have one name.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net, with its own callbacks and the user's, all in pairs with their names.
    owner : object
        Whose callbacks they are, for the error message.
    """
    count = Counter(name for name, _ in [*net.get_default_callbacks(), *net.callbacks])
    twice = [name for name in count if count[name] > 1]
    if twice:
        raise invalid(
            "callbacks",
            owner,
            "callbacks whose names differ from each other, and from those that training has anyway",
            twice[0],
            "It is there twice.",
        )


def parameters_of(callbacks: Any) -> dict[str, Any]:
    """Return the parameters of callbacks, as `callbacks__name` and `callbacks__name__parameter`."""
    found = {}
    for name, callback in named_callbacks(callbacks):
        found[f"callbacks__{name}"] = callback
        if isinstance(callback, Callback):
            inner = callback.get_params(deep=False)
            found |= {f"callbacks__{name}__{key}": value for key, value in inner.items()}
    return found


def with_parameters(callbacks: Any, changes: Mapping[str, Any], owner: object) -> list[Any]:
    """Set parameters of callbacks in place, and return the list with those that are replaced.

    Parameters
    ----------
    callbacks : list of (callback or pair of a name and one), or None
        As an estimator has them; the list stays as it is.
    changes : mapping of str to object
        "name" replaces a callback, None by nothing; "name__parameter" sets a parameter.
    owner : object
        Whose they are, for the error messages.

    Returns
    -------
    list
        As an estimator is to have them.
    """
    now = dict(named_callbacks(callbacks))
    inner: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        name, separator, parameter = key.partition("__")
        if name not in now:
            must = (
                f"about one of {', '.join(map(repr, now))}" if now else "left out: there are none"
            )
            raise invalid(f"callbacks__{key}", owner, must, value, "Name it in callbacks= first.")
        if separator:
            inner.setdefault(name, {})[parameter] = value
        else:
            now[name] = value
    for name, params in inner.items():
        callback = now[name]
        if isinstance(callback, type):
            now[name] = callback(**params)
        elif callback is not None:
            callback.set_params(**params)
    given = zip(callbacks or [], named_callbacks(callbacks), strict=True)
    return [
        (name, now[name]) if isinstance(item, (list, tuple)) else now[name]
        for item, (name, _) in given
        if now[name] is not None
    ]


def copies(callbacks: Any) -> Any:
    """Return the callbacks of a clone: copies that hold the same loggers, files and functions.

    Their state is their own, as with scikit-learn's clones, but what they write to is what the
    user has given. A callback that refuses to be copied is shared.
    """
    if not isinstance(callbacks, (list, tuple)):
        return callbacks
    made = [
        (item[0], _copy(item[1])) if isinstance(item, tuple) and len(item) == 2 else _copy(item)
        for item in callbacks
    ]
    return type(callbacks)(made)


def _pair(item: Any) -> tuple[str, Any, bool]:
    """Return the name of a callback, itself, and whether the user has named it."""
    if isinstance(item, (list, tuple)) and len(item) == 2:
        return item[0], item[1], True
    return (item if isinstance(item, type) else type(item)).__name__, item, False


def _copy(callback: Any) -> Any:
    if not isinstance(callback, Callback):
        return callback
    try:
        copied = copy.copy(callback)
    except Exception:  # whatever it refuses with
        return callback
    for name, value in vars(copied).items():
        if getattr(value, "__self__", None) is callback:  # ParamMapper keeps one of its methods
            vars(copied)[name] = value.__func__.__get__(copied)
    return copied
