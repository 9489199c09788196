"""Numbers from counts: intervals, balanced accuracy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a share, of which `right` of `n` were found.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), with p = right / n.
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = right / n
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if right == 0 else (middle - half) / scale
    high = 1.0 if right == n else (middle + half) / scale
    return low, high


def balanced_accuracy(true: Sequence[Any], predicted: Sequence[Any]) -> float:
    """Return the mean over the classes that there are of the share that was recognised."""
    sizes = Counter(true)
    right = Counter(t for t, p in zip(true, predicted, strict=True) if t == p)
    return sum(right[c] / sizes[c] for c in sizes) / len(sizes)
