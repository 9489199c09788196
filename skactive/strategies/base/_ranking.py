"""How strategies rank their utilities."""

from __future__ import annotations

import numpy as np

from skactive.selection import top_n
from skactive.strategies.base._query_strategy import Selection


def highest(utilities: np.ndarray, n: int, ties: np.random.Generator) -> Selection:
    """Select the n samples of highest utility; a generator decides among equals.

    A pool has an order, often that of its classes, which must not decide. Without ties the
    generator has no influence.
    """
    return Selection(top_n(utilities, n, random_state=ties), utilities)
