"""CAL: samples predicted otherwise than the labelled ones that they are near to."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._batches import as_tensor
from skactive._rng import generator
from skactive.selection import nearest_neighbors
from skactive.strategies.base._embedded_predictions import EmbeddedPredictions
from skactive.strategies.base._query_strategy import Selection
from skactive.strategies.base._ranking import highest

# Probabilities of 0 count as 1e-308, so that utilities are finite.
_LOWEST = float(np.log(np.finfo(np.float64).tiny))
# Intermediate results have about this many numbers.
_BLOCK = 2**20


class CAL(EmbeddedPredictions):
    """Choose samples that are predicted otherwise than the labelled samples nearest to them.

    The utility is the mean divergence from the predictions of the K nearest labelled samples,

        1/K Σ_{l ∈ K-NN(x)} KL(p(l) ‖ p(x)),    KL(p ‖ q) = Σ_c p_c log(p_c / q_c),

    by distances of the embeddings h: such contrastive samples lie near a boundary of the classes.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    n_neighbors : int, default=10
        K; with fewer labelled samples, all of them.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is, or the embeddings come from.
    random_state : int, RandomState, Generator or None, default=None
        Breaks exact ties; None breaks them afresh at each call. Without labelled samples all
        utilities are 0, and the samples are drawn.

    References
    ----------
    K. Margatina et al., Active learning by acquiring contrastive examples, arXiv 2109.03764,
    algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CAL, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> CAL().select(clf, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddedPredictions._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        embeddings: Any = None,
        n_neighbors: int = 10,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.n_neighbors = n_neighbors
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        pool, labelled = self._embed_and_predict(estimator, X_pool, X_labelled)
        utilities = np.zeros(len(pool))
        if labelled is not None:
            near, _ = nearest_neighbors(pool.rows, labelled.rows, n_neighbors=self.n_neighbors)
            utilities = _mean_divergences(labelled.log_p, pool.log_p, as_tensor(near).cpu().numpy())
        return highest(utilities, n_instances, generator(self.random_state, self))


def _mean_divergences(log_p: np.ndarray, log_q: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the mean over K distributions p of KL(p ‖ q), (N,).

    As Σ p (q/p − 1 − log(q/p)), a sum of terms that are not negative, which does not cancel where
    the two agree.

    Parameters
    ----------
    log_p : ndarray of shape (L, C)
        Their logarithms.
    log_q : ndarray of shape (N, C)
        Those of what they are compared with.
    near : ndarray of int, of shape (N, K)
        Which of them each is compared with.
    """
    log_p, log_q = np.maximum(log_p, _LOWEST), np.maximum(log_q, _LOWEST)
    found = np.empty(len(log_q))
    size = max(1, _BLOCK // (near.shape[1] * log_q.shape[1]))
    for start in range(0, len(found), size):
        block = slice(start, start + size)
        p = log_p[near[block]]
        ratio = log_q[block, None] - p
        terms = np.exp(p) * (np.expm1(ratio) - ratio)
        found[block] = np.maximum(terms.sum(2), 0.0).mean(1)
    return found
