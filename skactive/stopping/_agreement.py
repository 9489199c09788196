"""Stop when successive networks agree."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._kappa import kappa
from skactive.stopping._rule import StoppingRule, last_pairs, predicted_classes


class Agreement(StoppingRule):
    """Stop when successive networks agree on a fixed set of samples, beyond chance.

    With o the share of the samples for which two successive networks predict the same class, and e
    the share that would agree by chance, Σ_c of the products of the two shares of class c, their
    agreement is Cohen's kappa, κ = (o − e) / (1 − e). The rule says to stop when its mean over the
    last `window` pairs of rounds is `threshold` or more.

    No label is needed, so that the set may be large: the paper takes 2,000 samples at random. That
    networks agree says that they stand still, and not that they are good. Where both predict one
    class for all samples, κ is not defined, and the rule waits.

    Parameters
    ----------
    threshold : float, default=0.99
        The mean κ from which on to stop. The paper recommends 0.99; a lower one stops earlier, and
        networks that are trained from scratch with other seeds may never reach it.
    window : int, default=3
        Number of pairs of successive rounds to average over.

    References
    ----------
    M. Bloodgood, K. Vijay-Shanker. "A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping". CoNLL 2009. arXiv 1409.5165.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.stopping import Agreement
    >>> X, y = load_digits(return_X_y=True)
    >>> rule, state = Agreement(threshold=0.9, window=1), None
    >>> for n_labels in range(50, 1000, 50):
    ...     clf = LogisticRegression(max_iter=1000).fit(X[:n_labels], y[:n_labels])
    ...     state = rule(clf, X[1000:], state=state)
    ...     if state.stop:
    ...         break
    >>> print(f"{n_labels} labels: κ = {state.value:.2f}")
    150 labels: κ = 0.90
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "window": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, threshold: float = 0.99, window: int = 3) -> None:
        self.threshold = threshold
        self.window = window

    def observe(self, estimator: Any, X_stop: Any, y_stop: Any = None) -> np.ndarray:
        """Return the predicted classes of the samples, (n,); labels are not looked at."""
        return predicted_classes(self, estimator, X_stop)[0]

    def measure(self, seen: tuple[np.ndarray, ...]) -> float:
        """Return the mean kappa of the last pairs of rounds."""
        pairs = last_pairs(seen, self.window)
        return np.nan if pairs is None else float(np.mean([kappa(a, b) for a, b in pairs]))

    def is_reached(self, value: float) -> bool:
        """Return whether the threshold is reached; NaN does not reach it."""
        return value >= self.threshold
