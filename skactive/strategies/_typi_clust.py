"""TypiClust: the most typical samples of clusters that have no label yet."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval

from skactive._rng import generator
from skactive.selection import Picks, most_typical
from skactive.strategies.base._clusters import cluster
from skactive.strategies.base._embeddings import EmbeddingStrategy

# More clusters are found in mini-batches, as in the published code.
_EXACT_CLUSTERS = 50


class TypiClust(EmbeddingStrategy):
    """Choose the most typical sample of each of the largest clusters without a label.

    Pool and labelled samples are clustered into min(n_L + n, max_clusters) clusters by their
    embeddings h. The clusters, those with the fewest labelled samples and then the largest first,
    give one sample each, in turn: the one of the highest

        typicality(x) = (1/K Σ_{i ∈ K-NN(x)} ‖h(x) − h(x_i)‖)⁻¹

    among those of the cluster that are neither labelled nor picked, of which half at most count as
    neighbours. Meant for the first rounds, with embeddings that did not need labels.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    normalize : bool, default=True
        Divide each embedding by its norm.
    n_neighbors : int, default=20
        K.
    max_clusters : int, default=500
        Largest number of clusters. More than 50, in more than 5000 samples, are found by k-means in
        mini-batches.
    too_small : int, default=5
        Clusters of this size or smaller are passed over, while others have samples left.
    batch_size : int, default=256
        Samples that are embedded at a time.
    device : str, torch.device or None, default=None
        Where to compute; None is where the embeddings come from. k-means runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seeds k-means.

    References
    ----------
    TypiClust, arXiv 2202.02794, its typicality and algorithm; what the paper leaves open
    (normalized embeddings, small clusters, half a cluster) is that of the published code, which
    averages squared distances where the paper, as here, has distances.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skactive import TypiClust
    >>> X, y = load_digits(return_X_y=True)
    >>> query = TypiClust(embeddings=PCA(16).fit(X), random_state=0)
    >>> query.select(None, X, 10).indices.shape  # the first labels, without a network
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddingStrategy._parameter_constraints,
        "normalize": ["boolean"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "max_clusters": [Interval(Integral, 1, None, closed="left")],
        "too_small": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        embeddings: Any = None,
        normalize: bool = True,
        n_neighbors: int = 20,
        max_clusters: int = 500,
        too_small: int = 5,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.normalize = normalize
        self.n_neighbors = n_neighbors
        self.max_clusters = max_clusters
        self.too_small = too_small
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        pool, labelled = self._embed(estimator, X_pool, X_labelled, normalize=self.normalize)
        n_pool, n_labelled = len(pool), 0 if labelled is None else len(labelled)
        everything = pool if labelled is None else torch.cat([pool, labelled])
        n_clusters = min(n_labelled + n_instances, self.max_clusters, len(everything))
        draw = generator(self.random_state, self)
        found = cluster(everything.cpu().numpy(), n_clusters, draw, _EXACT_CLUSTERS).labels_
        sizes = np.bincount(found, minlength=n_clusters)
        covered = np.bincount(found[n_pool:], minlength=n_clusters)
        order = np.lexsort((-sizes, covered))
        large = sizes[order] > self.too_small
        there = np.bincount(found[:n_pool], minlength=n_clusters)
        turns = _turns(there, [order[large], order[~large]], n_instances)

        indices, gains = np.empty(n_instances, dtype=np.int64), np.empty(n_instances)
        for k in np.unique(turns):
            members, own = np.flatnonzero(found[:n_pool] == k), turns == k
            rows = pool[torch.as_tensor(members, device=pool.device)]
            best = most_typical(rows, int(own.sum()), n_neighbors=self.n_neighbors)
            indices[own], gains[own] = members[best.indices], best.gains
        return Picks(indices, gains)


def _turns(sizes: np.ndarray, groups: list[np.ndarray], n: int) -> np.ndarray:
    """Return which cluster gives each pick: one of each in turn, a group as long as it has any.

    Parameters
    ----------
    sizes : ndarray of shape (K,)
        Number of samples of each cluster that can be picked.
    groups : list of ndarray
        The clusters of each group, in their order.
    n : int
        Number of picks.
    """
    left = sizes.copy()
    turns: list[int] = []
    for clusters in groups:
        while len(turns) < n and left[clusters].any():
            turn = clusters[left[clusters] > 0]
            left[turn] -= 1
            turns.extend(turn.tolist())
    return np.array(turns[:n])
