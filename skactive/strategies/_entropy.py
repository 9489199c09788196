"""Entropy sampling."""

from __future__ import annotations

import numpy as np

from skactive.strategies.base._probabilities import ProbabilityStrategy, entropies


class Entropy(ProbabilityStrategy):
    """Choose the samples whose predicted class distribution has the highest entropy.

    The utility is H = −Σ_c p_c log p_c, in nats, from 0 to log C.

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
    3.1, x*_H.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, Entropy
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> Entropy().select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        return entropies(log_p)
