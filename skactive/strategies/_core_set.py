"""Core-set: greedy k-center on embeddings."""

from __future__ import annotations

from typing import Any, ClassVar

from skactive.selection import Picks, k_center_greedy
from skactive.strategies.base._embeddings import EmbeddingStrategy


class CoreSet(EmbeddingStrategy):
    """Choose samples that leave none far from a labelled one, in the space of embeddings h.

    The greedy algorithm for min_S max_{x ∈ U} min_{c ∈ L ∪ S} ‖h(x) − h(c)‖: each pick is the
    sample farthest from all labelled samples and earlier picks. Its radius is at most twice the
    smallest one.

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
        Where to compute; None is where the embeddings come from.
    random_state : int, RandomState, Generator or None, default=None
        Draws the first pick where nothing is labelled; unused otherwise.

    References
    ----------
    Core-set, arXiv 1708.00489, algorithm 1 (k-center-greedy); equal distances go to the lower
    position.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skactive import CNNClassifier, CoreSet
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> CoreSet().select(clf, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    >>> query = CoreSet(embeddings=PCA(8).fit(X))  # without a network
    >>> query.select(None, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    """

    _with_work: ClassVar[str | None] = "two stages"

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
        pool, labelled = self._embed(estimator, X_pool, X_labelled)
        return k_center_greedy(pool, n_instances, centers=labelled, random_state=self.random_state)
