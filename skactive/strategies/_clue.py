"""CLUE: the samples nearest to the centers of clusters that are weighted by uncertainty."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._rng import generator
from skactive.strategies.base._clusters import cluster
from skactive.strategies.base._embedded_predictions import EmbeddedPredictions
from skactive.strategies.base._probabilities import entropies
from skactive.strategies.base._query_strategy import Selection
from skactive.strategies.base._temperature import at_temperature


class CLUE(EmbeddedPredictions):
    """Choose the samples nearest to the centers of n clusters, weighted by their uncertainty.

    k-means finds n centers μ that minimise Σ_{x ∈ U} H(x) min_k ‖h(x) − μ_k‖², with h the
    embeddings and H(x) = −Σ_c p_c log p_c the entropy of p = softmax(z/T), z the logits. Each
    center takes the nearest sample that is not taken yet, those of the clusters of most entropy
    first. So the batch is spread out over what the network is uncertain of. Labelled samples are
    not used.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    temperature : float, default=1.0
        T, above 0. The larger, the more alike the weights are; with all of them equal the clusters
        are those of `KMeansSampling`.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is, or the embeddings come from. k-means runs
        on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seeds k-means, and draws samples where fewer than n have distinct embeddings and an entropy
        above 0.

    References
    ----------
    V. Prabhu et al., Active domain adaptation via clustering uncertainty-weighted embeddings, arXiv
    2010.08666; each center takes another sample, as in the published code.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CLUE, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> CLUE(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddedPredictions._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        embeddings: Any = None,
        temperature: float = 1.0,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.temperature = temperature
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        pool, _ = self._embed_and_predict(estimator, X_pool, None)
        draw = generator(self.random_state, self)
        rows = pool.rows.cpu().numpy()
        weights = np.maximum(entropies(at_temperature(pool.log_p, float(self.temperature))), 0.0)
        if not weights.any():
            weights = np.ones(len(rows))
        counting = np.flatnonzero(weights)
        n_clusters = min(n_instances, len(counting))
        model = cluster(rows[counting], n_clusters, draw, weights=weights[counting])
        masses = np.bincount(model.labels_, weights[counting], minlength=n_clusters)
        picks: list[int] = []
        gains: list[float] = []
        for k in np.argsort(-masses, kind="stable"):
            if masses[k]:
                away = ((rows - model.cluster_centers_[k]) ** 2).sum(1)
                away[picks] = np.inf
                picks.append(int(away.argmin()))
                gains.append(float(masses[k]))
        rest = np.setdiff1d(np.arange(len(rows)), picks)
        more = draw.choice(rest, n_instances - len(picks), replace=False)
        return Selection(
            np.concatenate([np.array(picks, dtype=np.int64), more]),
            None,
            np.concatenate([gains, np.zeros(len(more))]),
        )
