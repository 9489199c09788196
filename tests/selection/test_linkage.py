"""Average linkage against SciPy's, on all squared distances."""

import sys

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering

from skactive.selection import _linkage, _rows, average_linkage
from tests.selection.memory import peak_of
from tests.selection.test_k_center import data


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(_rows, "_TILE_CPU", 64)


def same_partition(a, b):
    pairs = {*zip(a.tolist(), b.tolist(), strict=True)}
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("kind", ["gaussian", "blobs", "far away"])
@pytest.mark.parametrize("rows", [100, 1, 0])  # pairs alone, both, chains alone
def test_clusters_are_those_of_scipy(kind, rows, monkeypatch):
    monkeypatch.setattr(_linkage, "_ROWS", rows)
    X = data(kind)
    tree = linkage(pdist(X, "sqeuclidean"), "average")
    for n_clusters in (1, 2, 7, 60, 150, 299, 300):
        # By height: by number, SciPy 1.11 joins one pair too many.
        height = tree[299 - n_clusters, 2] * (1 + 1e-9) if n_clusters < 300 else 0.0
        expected = fcluster(tree, height, "distance")
        found = average_linkage(X, n_clusters=n_clusters)
        assert len(np.unique(found)) == n_clusters
        assert same_partition(found, expected)
    for threshold in np.quantile(tree[:, 2], [0.0, 0.3, 0.9, 1.0]) * (1 + 1e-6):
        expected = fcluster(tree, threshold, "distance")
        assert same_partition(average_linkage(X, threshold=threshold), expected)


def test_clusters_are_those_of_scikit_learn():
    X = data("blobs")
    distances = ((X[:, None] - X) ** 2).sum(2)
    model = AgglomerativeClustering(20, metric="precomputed", linkage="average").fit(distances)
    assert same_partition(average_linkage(X, n_clusters=20), model.labels_)


def test_a_line_of_growing_gaps_merges_one_by_one():
    """One pair at a time is each other's nearest."""
    X = np.cumsum(1.05 ** np.arange(120.0))[:, None]
    tree = linkage(pdist(X, "sqeuclidean"), "average")
    for n_clusters in (1, 5, 50):
        expected = fcluster(tree, n_clusters, "maxclust")
        assert same_partition(average_linkage(X, n_clusters=n_clusters), expected)


@pytest.mark.parametrize("kind", ["repeated", "equal", "grid"])
def test_copies_are_together_and_ties_end(kind):
    X = data(kind)
    distinct = len(np.unique(X, axis=0))
    for found in (average_linkage(X, n_clusters=distinct), average_linkage(X, threshold=0.0)):
        assert same_partition(found, np.unique(X, axis=0, return_inverse=True)[1].reshape(-1))
    assert len(np.unique(average_linkage(X, n_clusters=distinct // 3 + 1))) == distinct // 3 + 1
    assert len(np.unique(average_linkage(X, n_clusters=200))) == 200


def test_clusters_are_numbered_by_their_first_samples():
    found = average_linkage(data("gaussian"), n_clusters=9)
    assert [found.tolist().index(k) for k in range(9)] == sorted(
        found.tolist().index(k) for k in range(9)
    )


@pytest.mark.parametrize("contain", [torch.as_tensor, lambda X: torch.as_tensor(X).float(), list])
def test_containers(contain):
    X = data("blobs")
    assert same_partition(
        average_linkage(contain(X), n_clusters=6), average_linkage(X, n_clusters=6)
    )


def test_one_sample():
    assert average_linkage(np.ones((1, 2)), n_clusters=1).tolist() == [0]
    assert average_linkage(np.ones((1, 2)), threshold=3).tolist() == [0]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({}, "'n_clusters' .* given where threshold is not"),
        ({"n_clusters": 3, "threshold": 1.0}, "'n_clusters' .* given where threshold is not"),
        ({"n_clusters": 301}, "'n_clusters' .* from 1 to 300"),
        ({"threshold": -1.0}, "'threshold' .* a finite number of at least 0"),
    ],
)
def test_errors(given, match):
    with pytest.raises(ValueError, match=match):
        average_linkage(data("gaussian"), **given)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_that_of_the_rows_and_of_tiles():
    """All distances would be 128 MB."""
    setup = "X = np.random.default_rng(0).random((4000, 8)); average_linkage(X[:9], n_clusters=2)"
    assert peak_of(setup, "average_linkage(X, n_clusters=400)") < 40
