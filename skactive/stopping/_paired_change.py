"""Stop when the accuracy on a labelled share has surely stopped growing."""

from __future__ import annotations

import math
from numbers import Integral, Real
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive.stopping._rule import StoppingRule, rightly_predicted


class PairedChange(StoppingRule):
    """Stop when the accuracy has grown by less than a margin, as far as a labelled share can tell.

    The network of now and that of `window` rounds before are compared sample by sample. With b the
    number of samples that the former gets right and the latter does not, c the reverse, and n the
    number of all, the change of accuracy is (b − c) / n, and its upper bound, one half added to
    each of the four counts,

        (b − c) / n′ + z √(b + c + 1 − (b − c)² / n′) / n′,    n′ = n + 2.

    The rule says to stop when the bound is `threshold` or less. As the same samples are compared,
    it is far narrower than from two accuracies with intervals of their own. The samples have to be
    drawn at random and kept from training; what a strategy has chosen is no measure.

    Parameters
    ----------
    threshold : float, default=0.02
        The growth of the accuracy, from 0 to 1, over `window` rounds that is no longer worth it.
    window : int, default=3
        Number of rounds to look back.
    level : float, default=0.95
        The probability with which the bound holds for one comparison. It is looked at in every
        round, so that it is no guarantee for a whole run.

    References
    ----------
    A. Agresti, Y. Min. "Simple improved confidence intervals for comparing matched proportions".
    Statistics in Medicine 24, 2005: the interval.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.stopping import PairedChange
    >>> before = np.arange(1000) < 900  # which samples it gets right
    >>> now = np.roll(before, 10)  # ten others wrong, ten others right
    >>> PairedChange(window=1).judge([before, now]).stop
    True
    >>> PairedChange(window=1).judge([before[::20], now[::20]]).stop  # too few to tell
    False
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "level": [Interval(Real, 0.5, 1, closed="left")],
    }
    needs_labels: ClassVar[bool] = True

    def __init__(self, *, threshold: float = 0.02, window: int = 3, level: float = 0.95) -> None:
        self.threshold = threshold
        self.window = window
        self.level = level

    def observe(self, estimator: Any, X_stop: Any, y_stop: Any = None) -> np.ndarray:
        """Return which samples are predicted right, (n,) of bool."""
        return rightly_predicted(self, estimator, X_stop, y_stop)

    def measure(self, seen: tuple[np.ndarray, ...]) -> float:
        """Return the upper bound of the growth; NaN in the first `window` rounds."""
        if len(seen) <= self.window:
            return math.nan
        now, before = seen[-1].astype(bool), seen[-1 - self.window].astype(bool)
        b, c, n = int((now & ~before).sum()), int((before & ~now).sum()), len(now) + 2
        spread = math.sqrt(b + c + 1 - (b - c) ** 2 / n)
        return (b - c) / n + NormalDist().inv_cdf(self.level) * spread / n

    def is_reached(self, value: float) -> bool:
        """Return whether the threshold is reached; NaN does not reach it."""
        return value <= self.threshold
