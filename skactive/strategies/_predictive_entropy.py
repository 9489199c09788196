"""Entropy of the prediction averaged over draws of the network."""

from __future__ import annotations

import numpy as np

from skactive.strategies.base._monte_carlo import MonteCarloUtility, mean_log_probabilities
from skactive.strategies.base._probabilities import entropies


class PredictiveEntropy(MonteCarloUtility):
    """Choose the samples whose averaged prediction has the highest entropy.

    The utility is H(p̄) = −Σ_c p̄_c log p̄_c with p̄ = (1/T) Σ_t p_t, in nats, from 0 to log C, over
    T draws of the predicted distribution: passes of one network with its dropout on, the same masks
    for all samples in a pass, or the members of a Committee, or of a list of fitted estimators
    given to `select`; see `BALD`. It is the sum of what `BALD` and `MeanEntropy` measure.

    Parameters
    ----------
    n_passes : int, default=100
        T, at least 2. Has no effect with several estimators.
    batch_size : int, default=256
        Samples per forward pass; the result does not depend on it.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the masks, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    MC dropout, arXiv 1703.02910, section 4, "Max Entropy".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, PredictiveEntropy
    >>> X, y = load_digits(return_X_y=True)
    >>> members = [CNNClassifier(max_epochs=5, random_state=i) for i in range(3)]
    >>> members = [member.fit(X[:100], y[:100]) for member in members]
    >>> PredictiveEntropy().select(members, X[100:], n_instances=5).indices.shape
    (5,)
    """

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        return entropies(mean_log_probabilities(log_p))
