"""Fits whose chance is seeded, whatever draws in them, and that Ctrl-C ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from sklearn.base import clone

from skactive._generators import lent_rng
from skactive._interrupts import interrupts_come_out
from skactive._parts import parts
from skactive._rng import seeds_where_none

# For threads of one process, which share its generators. A fit may be inside a round.
_TURNS = threading.RLock()


@contextmanager
def seeded(seed: int, device: torch.device | None) -> Iterator[None]:
    """Seed what has no seed of its own; threads take turns, and a Ctrl-C comes out.

    The process-wide generators are lent, and what a strategy or an estimator makes inside itself
    with `random_state=None` is seeded, where it is of skactive.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device or None
        The device whose generator is seeded, besides the CPU's.

    Yields
    ------
    None
    """
    with _TURNS, interrupts_come_out(), lent_rng(seed, device), seeds_where_none(seed):
        yield


def fitted_clone(estimator: Any, X: Any, y: Any, seed: int) -> Any:
    """Return a copy of an estimator, fitted; equal seeds give equal ones, whatever it draws from.

    Parameters
    ----------
    estimator : estimator
        Is left as it is; a `random_state` that it has counts.
    X, y : array-like of n samples
        What the copy is fitted to.
    seed : int
        Seeds what has no `random_state`.

    Returns
    -------
    estimator
        The copy.
    """
    fresh = clone(estimator)
    with seeded(seed, named_device(fresh)):
        return fresh.fit(X, y)


def named_device(estimator: Any) -> torch.device | None:
    """Return the CUDA device that a parameter of an estimator names, if there is one."""
    inside = parts(estimator) if torch.cuda.is_available() else []
    named = [part.get_params(deep=False).get("device") for part in inside]
    return next((torch.device(value) for value in named if str(value).startswith("cuda")), None)
