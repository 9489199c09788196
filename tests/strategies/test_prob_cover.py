"""ProbCover against its algorithm on all distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skactive import CNNClassifier, ProbCover
from skactive.selection import kmeans_plusplus
from tests.selection.test_coverage import naive

X, Y = load_digits(return_X_y=True)
X = X + np.random.default_rng(0).random(X.shape) * 1e-3
POOL, LABELLED = X[40:440], X[:40]


def same(X):
    return X


def normalized(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("alpha", [0.95, 0.6])
def test_picks_are_those_of_the_algorithm(normalize, alpha):
    pool = POOL[:160]
    query = ProbCover(
        embeddings=same, normalize=normalize, alpha=alpha, n_clusters=10, random_state=5
    )
    found = query.select(None, pool, 30, X_labelled=LABELLED)
    seen = normalized if normalize else same
    everything = seen(np.concatenate([pool, LABELLED]))
    seeds = everything[kmeans_plusplus(everything, 10, random_state=np.random.default_rng(5))]
    labels = KMeans(10, init=seeds, n_init=1).fit(everything).labels_
    distances, other = cdist(everything, everything), labels[:, None] != labels
    # the largest of all radii at which the balls are pure enough
    pure = [
        r
        for r in np.unique(distances)
        if (~((distances <= r) & other).any(1)).mean() >= alpha - 1e-12
    ]
    picks, gains = naive(seen(pool), 30, max(pure), centers=seen(LABELLED))
    assert found.indices[: len(picks)].tolist() == picks
    assert found.gains.tolist() == gains + [0] * (30 - len(gains))
    assert found.utilities is None


def test_a_given_delta_needs_no_classes():
    found = ProbCover(embeddings=same, normalize=False, delta=20.0).select(
        None, POOL, 20, X_labelled=LABELLED
    )
    assert found.indices.tolist() == naive(POOL, 20, 20.0, centers=LABELLED)[0]


def test_what_is_left_is_drawn():
    picks = [
        ProbCover(embeddings=same, delta=2.0, random_state=s).select(None, POOL, 9).indices.tolist()
        for s in (0, 0, 1)
    ]
    assert picks[0] == picks[1] != picks[2]
    assert len(set(picks[0])) == 9


def test_the_number_of_clusters(monkeypatch):
    from skactive.strategies import _prob_cover

    asked = []
    original = _prob_cover.cluster
    monkeypatch.setattr(
        _prob_cover, "cluster", lambda X, k, *rest: asked.append(k) or original(X, k, *rest)
    )
    clf = CNNClassifier(max_epochs=1, random_state=0, classes=range(10)).fit(LABELLED, Y[:40])
    ProbCover().select(clf, POOL, 2)
    ProbCover(embeddings=same).select(clf, POOL, 2)
    ProbCover(embeddings=same).select(None, POOL, 2, X_labelled=LABELLED, y_labelled=Y[:40] % 4)
    ProbCover(embeddings=same, n_clusters=3).select(clf, POOL, 2)
    ProbCover(embeddings=same, n_clusters=30).select(None, POOL[:5], 2)
    assert asked == [10, 10, 4, 3, 5]
    match = "'n_clusters' .* no fitted estimator and no labels tell .* Got None.* Pass it, or delta"
    with pytest.raises(ValueError, match=match):
        ProbCover(embeddings=same).select(None, POOL, 2)
    with pytest.raises(ValueError, match="'alpha' parameter of ProbCover"):
        ProbCover(alpha=0.0).select(clf, POOL, 2)
