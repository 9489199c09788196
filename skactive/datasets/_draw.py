"""A seeded draw of given counts per class, shared by the helpers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skactive._validation import invalid


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
