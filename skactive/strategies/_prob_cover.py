"""ProbCover: the samples whose balls cover most of the pool."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skactive._rng import generator
from skactive._validation import invalid
from skactive.exceptions import UnsupportedEstimatorError
from skactive.selection import Picks, max_coverage, other_group_distances, purity_radius
from skactive.strategies.base._clusters import cluster
from skactive.strategies.base._embeddings import EmbeddingStrategy
from skactive.strategies.base._labelled import plain_labels
from skactive.strategies.base._learner import open_learner


class ProbCover(EmbeddingStrategy):
    """Choose samples whose balls of radius δ hold most of the pool that no label's ball holds yet.

    Greedily, each pick is the x ∈ U that covers the most: the x' ∈ U with ‖h(x) − h(x')‖ ≤ δ that
    the balls of labelled samples and of earlier picks do not cover, with h the embeddings.
    Of samples that cover as many, the first in the pool is picked; shuffle a pool that is sorted.
    Once everything is covered, samples are drawn at random. Meant for the first rounds, with
    embeddings that did not need labels.

    δ is the largest radius at which a share α of the balls around pool and labelled samples is
    pure: all in a ball are in one cluster, by k-means with as many clusters as classes.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    normalize : bool, default=True
        Divide each embedding by its norm.
    delta : float or None, default=None
        δ, in the units of the embeddings used; None finds it by purity.
    alpha : float, default=0.95
        The share of pure balls, above 0 and at most 1; unused where δ is given.
    n_clusters : int or None, default=None
        The clusters for purity; None is the number of the estimator's classes, or of the classes
        in `y_labelled` where there is no fitted estimator.
    batch_size : int, default=256
        Samples that are embedded at a time.
    device : str, torch.device or None, default=None
        Where to compute; None is where the embeddings come from. k-means runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seeds k-means, and draws what is left to pick when everything is covered.

    References
    ----------
    ProbCover, arXiv 2205.11320, its greedy algorithm and its estimate of δ; embeddings are
    normalized as in the published code.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skactive import ProbCover
    >>> X, y = load_digits(return_X_y=True)
    >>> query = ProbCover(embeddings=PCA(16).fit(X), n_clusters=10, random_state=0)
    >>> query.select(None, X, 10).indices.shape  # the first labels, without a network
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddingStrategy._parameter_constraints,
        "normalize": ["boolean"],
        "delta": [Interval(Real, 0, None, closed="left"), None],
        "alpha": [Interval(Real, 0, 1, closed="right")],
        "n_clusters": [Interval(Integral, 2, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        embeddings: Any = None,
        normalize: bool = True,
        delta: float | None = None,
        alpha: float = 0.95,
        n_clusters: int | None = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.normalize = normalize
        self.delta = delta
        self.alpha = alpha
        self.n_clusters = n_clusters
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        pool, labelled = self._embed(estimator, X_pool, X_labelled, normalize=self.normalize)
        draw = generator(self.random_state, self)
        delta, groups = self.delta, None
        if delta is None:
            delta, groups = self._pure(estimator, pool, labelled, y_labelled, draw)
        return max_coverage(
            pool, n_instances, float(delta), centers=labelled, groups=groups, random_state=draw
        )

    def _pure(
        self,
        estimator: Any,
        pool: Tensor,
        labelled: Tensor | None,
        y: Any,
        draw: np.random.Generator,
    ) -> tuple[float, tuple[Any, Any]]:
        """Return δ by purity, and the clusters of the pool with the distances between them."""
        everything = pool if labelled is None else torch.cat([pool, labelled])
        n_clusters = min(self._count_clusters(estimator, y), len(everything))
        found = cluster(everything.cpu().numpy(), n_clusters, draw).labels_
        distances = other_group_distances(everything, found)
        delta = purity_radius(distances, self.alpha)
        return delta, (found[: len(pool)], distances[: len(pool)])

    def _count_clusters(self, estimator: Any, y: Any) -> int:
        if self.n_clusters is not None:
            return self.n_clusters
        try:
            classes = getattr(open_learner(estimator, self).estimator, "classes_", None)
        except (NotFittedError, UnsupportedEstimatorError):  # where embeddings are from elsewhere
            classes = None
        if classes is None:
            classes = [] if y is None else set(plain_labels(y, self)[0].tolist())
        if len(classes) < 2:
            raise invalid(
                "n_clusters",
                self,
                "an int of at least 2 where no fitted estimator and no labels "
                "tell the number of classes",
                None,
                "Pass it, or delta.",
            )
        return len(classes)
