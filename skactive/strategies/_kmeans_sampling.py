"""The samples nearest to the centers of clusters."""

from __future__ import annotations

from typing import Any

from skactive._rng import generator
from skactive.selection import Picks
from skactive.strategies.base._embeddings import EmbeddingStrategy
from skactive.strategies.base._nearest import nearest_to_centers


class KMeansSampling(EmbeddingStrategy):
    """Choose the samples nearest to the centers of n clusters of the pool's embeddings h.

    k-means finds n centers μ that minimise Σ_{x ∈ U} min_k ‖h(x) − μ_k‖²; of each cluster the
    sample nearest to its center is chosen, those of the largest clusters first. Labelled samples
    are not used.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    batch_size : int, default=256
        Samples that are embedded at a time.
    device : str, torch.device or None, default=None
        Where to embed; None is where the embeddings come from. k-means runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seeds k-means, and draws samples where the pool has fewer than n distinct embeddings.

    References
    ----------
    F. Zhdanov, Diverse mini-batch active learning, arXiv 1901.05954, section 3, with equal weights.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, KMeansSampling
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> KMeansSampling(random_state=0).select(clf, X[100:], 10).indices.shape
    (10,)
    """

    def __init__(
        self,
        *,
        embeddings: Any = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        pool = self._embed(estimator, X_pool, None)[0].cpu().numpy()
        return nearest_to_centers(pool, n_instances, generator(self.random_state, self))
