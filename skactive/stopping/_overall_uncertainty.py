"""Stop when the network is certain of nearly everything."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import entr
from sklearn.utils._param_validation import Interval

from skactive._batches import n_rows
from skactive._predictions import predicted_probabilities
from skactive._validation import invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.stopping._rule import StoppingRule


class OverallUncertainty(StoppingRule):
    """Stop when the mean entropy of the predictions is low.

    The value is the mean of −Σ_c p_c log p_c over the samples, as a share of its maximum log C. It
    compares no rounds, and so believes the network: one that is too sure of itself stops at once,
    and many are.

    Parameters
    ----------
    threshold : float, default=0.05
        The mean entropy down to which to stop, as a share of the maximum. The papers set it by
        task.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. "Multi-criteria-based strategy to stop active learning for data
    annotation". COLING 2008.

    J. Zhu, H. Wang, E. Hovy, M. Ma. "Confidence-based stopping criteria for active learning for
    data annotation". ACM Transactions on Speech and Language Processing 6(3), 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.stopping import OverallUncertainty
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = LogisticRegression(max_iter=1000).fit(X[:100], y[:100])
    >>> print(f"{OverallUncertainty()(clf, X[1000:]).value:.2f}")
    0.16
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, *, threshold: float = 0.05) -> None:
        self.threshold = threshold

    def observe(self, estimator: Any, X_stop: Any, y_stop: Any = None) -> np.ndarray:
        """Return the mean entropy as a share of its maximum, (1,); labels are not looked at.

        It is NaN for an estimator that knows a single class.
        """
        if not hasattr(estimator, "predict_proba"):
            raise UnsupportedEstimatorError(
                f"{owner_name(self)} needs a classifier with predict_proba. Got "
                f"{owner_name(estimator)} instead. Use Agreement, which reads predicted classes."
            )
        n = n_rows(X_stop)
        if not n:
            raise invalid("X_stop", self, "at least one sample", X_stop)
        p = predicted_probabilities(estimator, X_stop, self, shape=(n, None), of="X_stop")
        if p.shape[1] == 1:
            return np.array([np.nan])
        return np.array([entr(p.astype(np.float64)).sum(1).mean() / np.log(p.shape[1])])

    def measure(self, seen: tuple[np.ndarray, ...]) -> float:
        """Return the mean entropy of the last round."""
        return seen[-1][0]

    def is_reached(self, value: float) -> bool:
        """Return whether the threshold is reached; NaN does not reach it."""
        return value <= self.threshold
