"""TypiClust against the published loop, written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans

from skactive import TypiClust
from skactive.selection import kmeans_plusplus

RNG = np.random.default_rng(0)


def same(X):
    return X


def blobs(sizes, D=6, spread=30):
    centers = RNG.normal(size=(len(sizes), D)) * spread
    return np.concatenate(
        [c + RNG.normal(size=(n, D)) for c, n in zip(centers, sizes, strict=True)]
    )


def naive(pool, labelled, labels, n, too_small=5, k=20):
    """The loop of the published code, for given clusters of pool and labelled samples."""
    everything = np.concatenate([pool, labelled])
    sizes = np.bincount(labels)
    existing = np.bincount(labels[len(pool) :], minlength=len(sizes))
    order = sorted(
        (c for c in range(len(sizes)) if sizes[c] > too_small),
        key=lambda c: (existing[c], -sizes[c], c),
    )
    labels = labels.copy()
    labels[len(pool) :] = -1
    picks = []
    while len(picks) < n:
        for c in order:
            members = np.flatnonzero(labels == c)
            if not len(members) or len(picks) == n:
                continue
            rows = everything[members]
            near = np.sort(cdist(rows, rows), axis=1)[:, 1 : 1 + max(1, min(k, len(members) // 2))]
            mean = near.mean(1) if near.size else np.zeros(1)
            picks.append(int(members[mean.argmin()]))
            labels[picks[-1]] = -1
    return picks


def normalized(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("n", [7, 25])
def test_picks_are_those_of_the_published_loop(normalize, n):
    X = blobs([60, 55, 50, 40, 30, 25, 20, 10, 3])
    labelled, pool = X[::20], np.delete(X, np.s_[::20], axis=0)
    found = TypiClust(embeddings=same, normalize=normalize, random_state=5).select(
        None, pool, n, X_labelled=labelled
    )
    seen = normalized if normalize else same
    everything = np.concatenate([seen(pool), seen(labelled)])
    k = len(labelled) + n
    seeds = everything[kmeans_plusplus(everything, k, random_state=np.random.default_rng(5))]
    labels = KMeans(k, init=seeds, n_init=1).fit(everything).labels_
    assert found.indices.tolist() == naive(seen(pool), seen(labelled), labels, n)
    assert found.utilities is None


def test_clusters_are_visited_in_turns_and_small_ones_last():
    X = blobs([40, 30, 20, 4], spread=500)
    # 3 labelled samples and one pick would be 4 clusters; 60 picks are limited to 4
    labelled = X[[0, 41]]
    query = TypiClust(embeddings=same, normalize=False, max_clusters=4, random_state=0)
    pool = np.delete(X, [0, 41], axis=0)
    blob = np.repeat([0, 1, 2, 3], [39, 29, 20, 4])
    found = query.select(None, pool, 92, X_labelled=labelled)
    assert sorted(found.indices.tolist()) == list(range(92))
    # fewest labelled first, then the largest: 2, then 0 and 1; the blob of 4 at the very end
    assert blob[found.indices[:6]].tolist() == [2, 0, 1, 2, 0, 1]
    assert blob[found.indices[-4:]].tolist() == [3, 3, 3, 3]
    first = query.set_params(too_small=3).select(None, pool, 4, X_labelled=labelled)
    assert blob[first.indices].tolist() == [2, 3, 0, 1]


def test_many_clusters_are_found_in_mini_batches(monkeypatch):
    from skactive.strategies.base import _clusters

    made = []
    monkeypatch.setattr(
        _clusters,
        "MiniBatchKMeans",
        lambda k, **kwargs: made.append(k) or MiniBatchKMeans(k, **kwargs),
    )
    X = RNG.normal(size=(700, 4))
    assert len(TypiClust(embeddings=same, random_state=0).select(None, X, 60).indices) == 60
    assert not made  # one mini-batch would be all
    monkeypatch.setattr(_clusters, "_MINI_BATCH", 600)
    for n, clusters in [(50, []), (51, [51]), (600, [51, 500])]:
        found = TypiClust(embeddings=same, random_state=0).select(None, X, n)
        assert len(set(found.indices.tolist())) == n
        assert made == clusters


def test_repeated_samples():
    X = np.repeat(RNG.normal(size=(4, 3)), 10, axis=0)
    found = TypiClust(embeddings=same, random_state=0).select(None, X, 9, X_labelled=X[:1])
    assert len(set(found.indices.tolist())) == 9
    assert {i // 10 for i in found.indices[:3].tolist()} == {1, 2, 3}
