"""Least-confidence sampling."""

from __future__ import annotations

import numpy as np

from skactive.strategies.base._probabilities import ProbabilityStrategy, by_rows, split_off_best


class LeastConfidence(ProbabilityStrategy):
    """Choose the samples whose most probable class is least probable.

    The utility is 1 − max_c p_c, summed as Σ_{c≠ŷ} p_c, so that it keeps its digits where the
    network is nearly certain.

    Parameters
    ----------
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Breaks exact ties; None breaks them afresh at each call.

    References
    ----------
    B. Settles, Active learning literature survey, University of Wisconsin-Madison, 2009, section
    3.1, x*_LC.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, LeastConfidence
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> LeastConfidence().select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        return by_rows(lambda rows: split_off_best(rows)[1], log_p)
