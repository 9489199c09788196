"""Random generators from `random_state`; the process-wide ones are never touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from skactive._validation import check_count, invalid

_WHERE_NONE: ContextVar[np.random.SeedSequence | None] = ContextVar("_WHERE_NONE", default=None)


@contextmanager
def seeds_where_none(seed: int) -> Iterator[None]:
    """Have `random_state=None` draw from a seed, anew at each use, in this thread.

    Parameters
    ----------
    seed : int
        The seed.

    Yields
    ------
    None
    """
    token = _WHERE_NONE.set(np.random.SeedSequence(seed))
    try:
        yield
    finally:
        _WHERE_NONE.reset(token)


def seed_sequence(random_state: Any, owner: object = "skactive") -> np.random.SeedSequence:
    """Return the seeds that a `random_state` stands for.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None
        An int always gives the same seeds; a generator gives new ones at each call, and moves on;
        None draws from the operating system, not from NumPy's global generator; inside an
        experiment, from its seeds.
    owner : object, default="skactive"
        Whose parameter it is, for the error message.

    Returns
    -------
    numpy.random.SeedSequence
        The seeds.

    Raises
    ------
    InvalidParameterError
        If it is none of these.
    """
    if random_state is None:
        source = _WHERE_NONE.get()
        return np.random.SeedSequence() if source is None else source.spawn(1)[0]
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**31)))
    if not isinstance(random_state, (int, np.integer)):
        raise invalid(
            "random_state", owner, "an int, a Generator, a RandomState or None", random_state
        )
    return np.random.SeedSequence(check_count("random_state", owner, random_state, low=0))


def generator(random_state: Any, owner: object = "skactive") -> np.random.Generator:
    """Return a generator for a `random_state` (see `seed_sequence`); a Generator as it is."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(seed_sequence(random_state, owner))
