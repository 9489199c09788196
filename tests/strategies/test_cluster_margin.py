"""Cluster-Margin against the paper's loop on scikit-learn's clusters."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.linear_model import LogisticRegression

from skactive import ClusterMargin, CNNClassifier
from skactive.strategies import _cluster_margin
from skactive.strategies._cluster_margin import _in_turns
from skactive.strategies.base._ranking import highest
from tests.strategies import oracles
from tests.strategies.test_max_herding import LABELLED, POOL, X, Y, same

CLF = LogisticRegression(C=1e-3, max_iter=500).fit(X[:40], Y[:40])


def chosen(n=20, **params):
    query = ClusterMargin(**{"embeddings": same, "random_state": 0, **params})
    return query.select(CLF, POOL, n)


def turns(groups, n, draw):
    """One cluster after the other, the smallest first, a sample at random from each."""
    order = draw.permutation(len(groups))  # in which the samples of a cluster are drawn
    left = {g: [i for i in order if groups[i] == g] for g in sorted(set(groups))}
    by_size = sorted(left, key=lambda g: len(left[g]))
    picks = []
    while len(picks) < n:
        for group in by_size:
            if left[group] and len(picks) < n:
                picks.append(left[group].pop(0))
    return picks


def plain(n, candidates, draw, **how):
    distances = ((POOL[:, None] - POOL) ** 2).sum(2)
    model = AgglomerativeClustering(metric="precomputed", linkage="average", **how)
    labels = model.fit(distances).labels_
    margins = np.array([oracles.margin(p) for p in CLF.predict_proba(POOL)])
    few = np.argsort(-margins, kind="stable")[:candidates]
    first = [labels.tolist().index(label) for label in labels]  # clusters by their first samples
    return few[turns([first[i] for i in few], n, draw)].tolist(), margins


@pytest.mark.parametrize("n", [1, 20, 39])
def test_picks_are_those_of_the_paper(n):
    found = chosen(n)
    picks, margins = plain(n, min(400, 10 * n), np.random.default_rng(0), n_clusters=40)
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.gains, margins[picks])
    assert found.utilities is None


def test_the_threshold_and_the_number_of_candidates():
    found = chosen(30, candidates=2.5, threshold=600.0).indices.tolist()
    draw = np.random.default_rng(0)
    assert found == plain(30, 75, draw, n_clusters=None, distance_threshold=600.0)[0]


def test_turns():
    groups = np.array([5, 5, 5, 2, 9, 9])
    order = _in_turns(groups, np.random.default_rng(1))
    assert groups[order].tolist() == [2, 9, 5, 9, 5, 5]
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    assert order.tolist() == turns(groups, 6, np.random.default_rng(1))


def test_samples_of_a_cluster_are_drawn():
    picks = {tuple(chosen(8, random_state=seed).indices) for seed in (0, 0, 1, 2)}
    assert len(picks) == 3


def test_many_copies_are_quick_and_different_samples():
    pool = np.repeat(POOL[:2], 2000, axis=0)
    found = ClusterMargin(embeddings=same, random_state=0).select(CLF, pool, 4000)
    assert sorted(found.indices) == list(range(4000))


def test_the_networks_own_embeddings():
    clf = CNNClassifier(max_epochs=1, random_state=0, classes=range(10)).fit(LABELLED, Y[:40])
    assert len(set(ClusterMargin().select(clf, POOL, 8).indices.tolist())) == 8


@pytest.mark.parametrize("params", [{"candidates": 0.5}, {"cluster_size": 0}, {"threshold": -1}])
def test_parameters_are_checked(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of ClusterMargin"):
        chosen(**params)


def test_the_number_of_candidates_is_that_of_the_decimal(monkeypatch):
    """In floating point 2.3 · 100 is 229.999…."""
    asked = []

    def spy(utilities, n, ties):
        asked.append(n)
        return highest(utilities, n, ties)

    monkeypatch.setattr(_cluster_margin, "highest", spy)
    pool = np.tile(POOL, (-(-300 // len(POOL)), 1))[:300]
    query = ClusterMargin(embeddings=same, candidates=2.3, random_state=0)
    query.select(CLF, pool, 100)
    assert asked == [230]
