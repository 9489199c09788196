"""The samples nearest to the centers of clusters: a diverse batch from candidates."""

from __future__ import annotations

import numpy as np

from skactive.selection import Picks
from skactive.strategies.base._clusters import cluster

# The two samples of a cluster of two are equally near to its center, but for rounding.
_EQUAL = 1e-4


def nearest_to_centers(X: np.ndarray, n: int, draw: np.random.Generator) -> Picks:
    """Pick from each of n clusters the sample nearest to its center, the largest clusters first.

    Of samples that are equally near the first is picked.

    Parameters
    ----------
    X : ndarray of shape (N, D)
        The embeddings.
    n : int
        Number of samples to pick, at most N.
    draw : numpy.random.Generator
        Draws the seeds of k-means, and samples where X has fewer than n distinct rows.

    Returns
    -------
    Picks
        The positions, and as `gains` the sizes of their clusters; 0 for those that were drawn.
    """
    model = cluster(X, n, draw)
    sizes = np.bincount(model.labels_, minlength=n)
    picks, gains = [], []
    for k in np.argsort(-sizes, kind="stable"):
        members = np.flatnonzero(model.labels_ == k)
        if len(members):
            away = ((X[members] - model.cluster_centers_[k]) ** 2).sum(1)
            near = away <= away.min() * (1 + _EQUAL)
            picks.append(int(members[near.argmax()]))
            gains.append(float(len(members)))
    if len(picks) < n:  # repeated samples give fewer clusters
        rest = np.setdiff1d(np.arange(len(X)), picks)
        picks += draw.choice(rest, n - len(picks), replace=False).tolist()
        gains += [0.0] * (n - len(gains))
    return Picks(np.array(picks, dtype=np.int64), np.array(gains))
