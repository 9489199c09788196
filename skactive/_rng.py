"""Random generators from `random_state`; the process-wide ones are never touched."""

from __future__ import annotations

from typing import Any

import numpy as np


def seed_sequence(random_state: Any) -> np.random.SeedSequence:
    """Return the seeds that a `random_state` stands for.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None
        An int always gives the same seeds; a generator gives new ones at each call, and moves on;
        None draws from the operating system, not from NumPy's global generator.

    Returns
    -------
    numpy.random.SeedSequence
        The seeds.
    """
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    elif isinstance(random_state, np.random.Generator):
        random_state = int(random_state.integers(2**31))
    return np.random.SeedSequence(random_state)


def generator(random_state: Any) -> np.random.Generator:
    """Return a generator for a `random_state`, see `seed_sequence`."""
    return np.random.default_rng(seed_sequence(random_state))
