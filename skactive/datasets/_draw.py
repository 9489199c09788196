"""A seeded draw of given counts per class, shared by the helpers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skactive._one_label import labels_of_one_kind
from skactive._validation import invalid


def check_labels(y: Any, owner: str) -> np.ndarray:
    """Return labels as a 1-D array that is not empty, none missing, all of one kind."""
    if getattr(y, "ndim", 1) == 1:
        labels, _ = labels_of_one_kind("y", y, owner)
        if labels.ndim == 1 and len(labels):
            return labels
    raise invalid("y", owner, "1-D and not empty", y)


def draw(labels: np.ndarray, counts: Mapping[Any, int], rng: np.random.Generator) -> np.ndarray:
    """Return shuffled positions: the first `counts[c]` of each class c of one permutation.

    As they come from one permutation, larger counts with the same seed contain smaller ones.
    """
    order = rng.permutation(len(labels))
    shuffled = labels[order]
    ranks = [np.flatnonzero(shuffled == c)[:count] for c, count in counts.items()]
    return order[np.sort(np.concatenate(ranks))]
