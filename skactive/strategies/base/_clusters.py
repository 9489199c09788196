"""Clusters of embeddings, by scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from skactive.selection import kmeans_plusplus

# As in TypiClust's published code.
_MINI_BATCH = 5000


def cluster(
    X: np.ndarray,
    n_clusters: int,
    draw: np.random.Generator,
    exact_up_to: int | None = None,
    weights: np.ndarray | None = None,
) -> Any:
    """Fit k-means from k-means++ seeds; in mini-batches of 5000 where there are many clusters.

    The seeds are those of `skactive.selection.kmeans_plusplus`: scikit-learn's own, the best of
    several draws each, take most of the time where there are hundreds, and are hardly any better.

    Parameters
    ----------
    X : ndarray of shape (N, D)
        The embeddings.
    n_clusters : int
        Number of clusters, at most N. Fewer are found where X has fewer distinct rows.
    draw : numpy.random.Generator
        Draws the seeds.
    exact_up_to : int or None, default=None
        Largest number of clusters found by Lloyd's algorithm on all of X; None is no limit.
    weights : ndarray of shape (N,) or None, default=None
        Above 0; each sample counts as so many. The seeds do not depend on them.

    Returns
    -------
    KMeans or MiniBatchKMeans
        Fitted.
    """
    seeds = X[kmeans_plusplus(X, n_clusters, random_state=draw)]
    seed = int(draw.integers(2**31))
    if (
        weights is not None
    ):  # which scikit-learn takes in the precision of X, where small ones are 0
        weights = weights / weights.max()
    if exact_up_to is None or n_clusters <= exact_up_to or len(X) <= _MINI_BATCH:
        model = KMeans(n_clusters, init=seeds, n_init=1, random_state=seed)
    else:
        model = MiniBatchKMeans(
            n_clusters, init=seeds, n_init=1, batch_size=_MINI_BATCH, random_state=seed
        )
    with warnings.catch_warnings():
        # Repeated samples give fewer clusters than requested, which callers can deal with.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return model.fit(X, sample_weight=weights)
