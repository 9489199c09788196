"""Cluster-Margin: small margins, spread out over clusters."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._rng import generator
from skactive._validation import exact_share
from skactive.selection import average_linkage
from skactive.strategies.base._embedded_predictions import EmbeddedPredictions
from skactive.strategies.base._probabilities import split_off_best
from skactive.strategies.base._query_strategy import Selection
from skactive.strategies.base._ranking import highest


class ClusterMargin(EmbeddedPredictions):
    """Choose samples of small margins, in turns from the clusters that they are in.

    The pool is clustered by average linkage on its embeddings h. Of the samples whose two most
    probable classes are closest, 10·n, those of one cluster after the other are chosen, one each at
    random: the clusters with the fewest of them first, until n are found. Samples of small margins
    are often much alike; so no cluster gives a second one before all have given one. Labelled
    samples are not used.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    candidates : float, default=10.0
        Number of samples of small margins, as a multiple of n, at least 1.
    cluster_size : float, default=10.0
        Mean number of samples per cluster, at least 1: the linkage stops at N/cluster_size.
        Unused where `threshold` is given.
    threshold : float or None, default=None
        Or it stops where the mean squared distance between the samples of the nearest two clusters
        exceeds this.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is, or the embeddings come from. The linkage
        runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Draws the samples of each cluster, and breaks exact ties of the margin.

    Notes
    -----
    The paper clusters the pool once, before the first query. A strategy keeps nothing between
    calls: here it is clustered at each query, which takes O(N²·D) time and no N×N matrix;
    `Subsample` bounds it. The paper sets its threshold ε for each data set; a mean size of clusters
    says the same in a unit that does not depend on the network.

    References
    ----------
    G. Citovsky et al., Batch active learning at scale, arXiv 2107.14263, its algorithms 1 and 2,
    with squared distances.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import ClusterMargin, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> ClusterMargin(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddedPredictions._parameter_constraints,
        "candidates": [Interval(Real, 1, None, closed="left")],
        "cluster_size": [Interval(Real, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        embeddings: Any = None,
        candidates: float = 10.0,
        cluster_size: float = 10.0,
        threshold: float | None = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.candidates = candidates
        self.cluster_size = cluster_size
        self.threshold = threshold
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        pool, _ = self._embed_and_predict(estimator, X_pool, None)
        others, rest = split_off_best(pool.log_p)
        closeness = rest + others.max(1)
        n_candidates = min(len(pool), exact_share(self.candidates, n_instances))
        draw = generator(self.random_state, self)
        (ties,) = draw.spawn(1)
        candidates = highest(closeness, n_candidates, ties).indices
        picks = candidates[_in_turns(self._clusters(pool.rows)[candidates], draw)[:n_instances]]
        return Selection(picks, None, closeness[picks])

    def _clusters(self, rows: Any) -> np.ndarray:
        if self.threshold is not None:
            return average_linkage(rows, threshold=float(self.threshold))
        return average_linkage(rows, n_clusters=max(1, round(len(rows) / self.cluster_size)))


def _in_turns(groups: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return positions in turns from each group, the smallest first, at random within a group."""
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = draw.permutation(len(groups))
    order = order[np.argsort(which[order], kind="stable")]
    turn = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    group = which[order]
    return order[np.lexsort((group, sizes[group], turn))]
