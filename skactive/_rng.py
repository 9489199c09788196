"""Random generators from `random_state`; the process-wide ones are never touched."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._validation import check_count, invalid


def seed_sequence(random_state: Any, owner: object = "skactive") -> np.random.SeedSequence:
    """Return the seeds that a `random_state` stands for.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None
        An int always gives the same seeds; a generator gives new ones at each call, and moves on;
        None draws from the operating system, not from NumPy's global generator.
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
        return np.random.SeedSequence()
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
