"""The seeds of a round, and how they reach whatever draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from skactive._parts import unnamed_parts

# What a seed is for. Streams of different purposes are independent of each other.
INITIAL, ESTIMATOR, STRATEGY, MEASUREMENTS, STOP_SET = range(5)


def derive_seed(*entropy: int) -> int:
    """Mix integers into one seed of 31 bits."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)


def seeded_clone(estimator: Any, seed: int) -> Any:
    """Clone an estimator or a strategy, and seed every `random_state` in it.

    Parts of one estimator get different seeds: members of an ensemble must not be twins.
    """
    return seed_parts(clone(estimator), seed)


def seed_parts(estimator: Any, seed: int) -> Any:
    """Seed every `random_state` in an estimator, in lists too, and return it."""
    names = sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    unnamed = [
        part
        for _, part in unnamed_parts(estimator)
        if "random_state" in part.get_params(deep=False)
    ]
    for i, part in enumerate(unnamed, start=len(names)):
        part.set_params(random_state=derive_seed(seed, i))
    return estimator.set_params(**{name: derive_seed(seed, i) for i, name in enumerate(names)})
