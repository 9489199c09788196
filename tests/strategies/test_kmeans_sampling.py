"""KMeansSampling against scikit-learn's clusters, one by one."""

import numpy as np
from sklearn.cluster import KMeans

from skactive import KMeansSampling
from skactive.selection import kmeans_plusplus

RNG = np.random.default_rng(0)
CENTERS = RNG.normal(size=(6, 4)) * 20
SIZES = [30, 25, 20, 15, 10, 5]
X = np.concatenate([c + RNG.normal(size=(n, 4)) for c, n in zip(CENTERS, SIZES, strict=True)])


def same(X):
    return X


def test_the_nearest_of_each_cluster_the_largest_first():
    found = KMeansSampling(embeddings=same, random_state=0).select(None, X, 6)
    bounds = np.cumsum([0, *SIZES])
    for pick, gain, start, stop in zip(
        found.indices, found.gains, bounds[:-1], bounds[1:], strict=True
    ):
        away = np.linalg.norm(X[start:stop] - X[start:stop].mean(0), axis=1)
        assert pick == start + away.argmin()
        assert gain == stop - start


def test_against_scikit_learn_on_data_without_clusters():
    rows = RNG.normal(size=(200, 5))
    seeds = rows[kmeans_plusplus(rows, 40, random_state=np.random.default_rng(3))]
    model = KMeans(40, init=seeds, n_init=1).fit(rows)
    found = KMeansSampling(embeddings=same, random_state=3).select(None, rows, 40).indices
    for k in range(40):
        members = np.flatnonzero(model.labels_ == k)
        away = np.linalg.norm(rows[members] - model.cluster_centers_[k], axis=1)
        (picked,) = np.flatnonzero(np.isin(members, found))
        # both of two members are equally near to their mean, up to rounding
        assert away[picked] <= away.min() * (1 + 1e-12)


def test_fewer_distinct_samples_than_are_asked_for():
    rows = np.repeat(RNG.normal(size=(3, 2)), 10, axis=0)
    found = KMeansSampling(embeddings=same, random_state=0).select(None, rows, 8)
    assert len(set(found.indices.tolist())) == 8
    assert {i // 10 for i in found.indices[:3].tolist()} == {0, 1, 2}
    assert found.gains.tolist() == [10, 10, 10, 0, 0, 0, 0, 0]
