"""A seeded draw of given counts of each class, shared by the helpers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skactive._validation import check_count, invalid


def as_generator(random_state: Any, owner: str) -> np.random.Generator:
    """Return a generator of its own for an int, a RandomState or None; a Generator as it is."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    if random_state is None:
        return np.random.default_rng()
    if not isinstance(random_state, (int, np.integer)):
        raise invalid(
            "random_state", owner, "an int, a Generator, a RandomState or None", random_state
        )
    return np.random.default_rng(check_count("random_state", owner, random_state, low=0))


def check_labels(y: Any, owner: str) -> np.ndarray:
    """Return labels as a 1-D array that is not empty."""
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) == 0:
        raise invalid("y", owner, "1-D and not empty", labels)
    return labels


def draw(labels: np.ndarray, counts: Mapping[Any, int], rng: np.random.Generator) -> np.ndarray:
    """Return shuffled positions: the first `counts[c]` of each class c of one permutation.

    As they come from one permutation, larger counts with the same seed contain smaller ones.
    """
    order = rng.permutation(len(labels))
    shuffled = labels[order]
    ranks = [np.flatnonzero(shuffled == c)[:count] for c, count in counts.items()]
    return order[np.sort(np.concatenate(ranks))]
