"""Clusters of embeddings, by scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning


def cluster(X: np.ndarray, n_clusters: int, draw: np.random.Generator, exact_up_to: Any) -> Any:
    """Fit k-means; in mini-batches of 5000 where there are many clusters.

    Parameters
    ----------
    X : ndarray of shape (N, D)
        The embeddings.
    n_clusters : int
        How many, at most N. Fewer are found where X has fewer distinct rows.
    draw : numpy.random.Generator
        Draws the seed.
    exact_up_to : int or None
        The most clusters that are found by Lloyd's algorithm on all of X; None is no limit.

    Returns
    -------
    KMeans or MiniBatchKMeans
        Fitted.
    """
    seed = int(draw.integers(2**31))
    if exact_up_to is None or n_clusters <= exact_up_to:
        model = KMeans(n_clusters, n_init=1, random_state=seed)
    else:
        model = MiniBatchKMeans(n_clusters, n_init=1, batch_size=5000, random_state=seed)
    with warnings.catch_warnings():
        # Repeated samples give fewer clusters than were asked for, which callers can deal with.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return model.fit(X)
