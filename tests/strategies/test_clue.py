"""CLUE against weighted k-means of scikit-learn, and against scikit-activeml."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from skactive import CLUE, CNNClassifier
from skactive.selection import kmeans_plusplus
from tests.strategies import oracles
from tests.strategies.stubs import Fixed
from tests.strategies.test_max_herding import LABELLED, POOL, X, Y, same

CLF = LogisticRegression(C=1e-3, max_iter=500).fit(X[:40], Y[:40])


def seeds(n, seed=3):
    return POOL[kmeans_plusplus(POOL, n, random_state=np.random.default_rng(seed))]


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_picks_are_those_of_weighted_k_means(temperature):
    found = CLUE(embeddings=same, temperature=temperature, random_state=3).select(CLF, POOL, 20)
    p = CLF.predict_proba(POOL) ** (1 / temperature)
    weights = np.array([oracles.entropy(row / row.sum()) for row in p])
    model = KMeans(20, init=seeds(20), n_init=1).fit(POOL, sample_weight=weights)
    masses = np.array([weights[model.labels_ == k].sum() for k in range(20)])
    picks = []
    for k in np.argsort(-masses):
        order = np.argsort(((POOL - model.cluster_centers_[k]) ** 2).sum(1))
        picks.append(next(i for i in order if i not in picks))
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.gains, np.sort(masses)[::-1], rtol=1e-9)
    assert found.utilities is None


def test_picks_are_those_of_scikit_activeml():
    """From the same seeds of k-means; in another order."""
    pool = pytest.importorskip("skactiveml.pool")
    from skactiveml.classifier import SklearnClassifier

    theirs = pool.Clue(
        cluster_algo_dict={"init": seeds(20), "n_init": 1}, method="entropy", random_state=0
    )
    clf = SklearnClassifier(LogisticRegression(C=1e-3, max_iter=500), classes=np.unique(Y[:40]))
    clf.fit(X[:40], Y[:40])
    picks = theirs.query(POOL, np.full(400, np.nan), clf, fit_estimator=False, batch_size=20)
    found = CLUE(embeddings=same, random_state=3).select(CLF, POOL, 20)
    assert sorted(found.indices.tolist()) == sorted(picks.tolist())


def test_certain_samples_count_for_nothing():
    """One half of the pool is certain; all centers are in the other one."""
    p = np.tile([0.5, 0.3, 0.2], (60, 1, 1))
    p[:30] = [1.0, 0.0, 0.0]
    rows = np.random.default_rng(0).normal(size=(60, 2)) + 9 * (np.arange(60) < 30)[:, None]
    found = CLUE(random_state=0).select(Fixed(), p, 8, embeddings=rows)
    assert found.indices.min() >= 30
    many = CLUE(random_state=0).select(Fixed(), p, 40, embeddings=rows)
    assert len(set(many.indices.tolist())) == 40
    assert (many.gains[:30] > 0).all()
    assert not many.gains[30:].any()
    certain = CLUE(random_state=0).select(Fixed(), p[:30], 8, embeddings=rows[:30])
    assert len(set(certain.indices.tolist())) == 8


def test_samples_that_are_nearly_certain_are_clustered_in_single_precision_too():
    """Entropies of 1e-45 and less would be 0 there."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([c + rng.normal(size=(10, 2)) for c in 50 * rng.normal(size=(6, 2))])
    small = 10.0 ** -rng.uniform(60, 65, 60)
    p = np.stack([np.ones(60), small, np.zeros(60)], 1)[:, None]
    found = CLUE(random_state=0).select(Fixed(), p, 6, embeddings=rows.astype(np.float32))
    again = CLUE(random_state=0).select(Fixed(), p, 6, embeddings=rows)
    assert sorted(found.indices.tolist()) == sorted(again.indices.tolist())
    assert (found.gains > 0).all()


def test_the_networks_own_embeddings():
    clf = CNNClassifier(max_epochs=1, random_state=0, classes=range(10)).fit(LABELLED, Y[:40])
    assert len(set(CLUE(random_state=0).select(clf, POOL, 8).indices.tolist())) == 8


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'temperature' parameter of CLUE"):
        CLUE(embeddings=same, temperature=0).select(CLF, POOL, 3)
