"""Agreement beyond chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score


def kappa(one: Any, other: Any) -> float:
    """Return Cohen's kappa, (o − e) / (1 − e): the agreement o beyond that by chance, e.

    NaN where both name one and the same class throughout: e is 1 then, chance agrees as well, and
    0/0 is not agreement.

    Parameters
    ----------
    one, other : array-like of n labels
        Two labellings of the same samples.

    Returns
    -------
    float
        At most 1.

    References
    ----------
    J. Cohen. "A coefficient of agreement for nominal scales". Educational and Psychological
    Measurement 20(1), 1960.
    """
    if len(np.union1d(one, other)) == 1:
        return np.nan
    return float(cohen_kappa_score(one, other))
