"""BALD: what a label would reveal about the network."""

from __future__ import annotations

import numpy as np

from skactive.strategies.base._monte_carlo import MonteCarloUtility, mutual_information


class BALD(MonteCarloUtility):
    """Choose the samples on which draws of the network are each certain, and disagree.

    The utility is the mutual information between a sample's label and the network's weights,

        I = H(p̄) − (1/T) Σ_t H(p_t),    p̄ = (1/T) Σ_t p_t,

    in nats, from 0 to log C, over T draws p_t of the predicted distribution: passes of a network
    with its dropout on (MC dropout), nothing else in training mode, and the same masks for all
    samples in a pass; or the members of a Committee, or of a list of fitted estimators given to
    `select`, each as it predicts.

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
    BALD by MC dropout, arXiv 1703.02910, section 4; N. Houlsby et al., arXiv 1112.5745.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import BALD, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0, module_params={"dropout": 0.5})
    >>> clf = clf.fit(X[:100], y[:100])
    >>> BALD(n_passes=10, random_state=0).select(clf, X[100:], n_instances=5).indices.shape
    (5,)

    Several fitted estimators, without dropout:

    >>> members = [CNNClassifier(max_epochs=5, random_state=i) for i in range(3)]
    >>> members = [member.fit(X[:100], y[:100]) for member in members]
    >>> BALD().select(members, X[100:], n_instances=5).indices.shape
    (5,)
    """

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        return mutual_information(log_p)
