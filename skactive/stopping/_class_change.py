"""Stop when predicted classes no longer change."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive.stopping._rule import StoppingRule, last_pairs, predicted_classes


class ClassChange(StoppingRule):
    """Stop when the predicted class changes from one round to the next for hardly any sample.

    The share of the samples whose predicted class is another one than in the round before is
    averaged over the last `window` pairs of rounds. The published rule stops when there is no
    change at all in what is left of the pool, which networks that are trained anew in each
    round do not reach; hence the threshold.

    Parameters
    ----------
    threshold : float, default=0.0
        The share of changed samples down to which to stop.
    window : int, default=1
        Number of pairs of successive rounds to average over.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. "Multi-criteria-based strategy to stop active learning for data
    annotation". COLING 2008, the classification-change strategy.

    J. Zhu, H. Wang, E. Hovy, M. Ma. "Confidence-based stopping criteria for active learning for
    data annotation". ACM Transactions on Speech and Language Processing 6(3), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.stopping import ClassChange
    >>> rule = ClassChange(threshold=0.25)
    >>> state = rule.judge([["a", "b", "b", "a"], ["a", "a", "a", "a"], ["a", "a", "a", "b"]])
    >>> state.values, state.stop
    ((nan, 0.5, 0.25), True)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "window": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, threshold: float = 0.0, window: int = 1) -> None:
        self.threshold = threshold
        self.window = window

    def observe(self, estimator: Any, X_stop: Any, y_stop: Any = None) -> np.ndarray:
        """Return the predicted classes of the samples, (n,); labels are not looked at."""
        return predicted_classes(self, estimator, X_stop)[0]

    def measure(self, seen: tuple[np.ndarray, ...]) -> float:
        """Return the mean share of changed samples."""
        pairs = last_pairs(seen, self.window)
        return np.nan if pairs is None else float(np.mean([a != b for a, b in pairs]))

    def is_reached(self, value: float) -> bool:
        """Return whether the threshold is reached; NaN does not reach it."""
        return value <= self.threshold
