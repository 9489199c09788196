"""CAL against its formula, sample by sample, and against scikit-activeml."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skactive import CAL, CNNClassifier
from skactive.strategies import _cal
from tests.strategies.stubs import Fixed, distributions
from tests.strategies.test_max_herding import LABELLED, POOL, X, Y, same

CLF = LogisticRegression(C=1e-3, max_iter=500).fit(X[:40], Y[:40])


def divergence(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("n_neighbors", [1, 10, 100])
def test_utilities_are_those_of_the_formula(n_neighbors, monkeypatch):
    monkeypatch.setattr(_cal, "_BLOCK", 700)
    query = CAL(embeddings=same, n_neighbors=n_neighbors)
    found = query.select(CLF, POOL, 15, X_labelled=LABELLED)
    p, q = CLF.predict_proba(LABELLED), CLF.predict_proba(POOL)
    expected = []
    for x, own in zip(POOL, q, strict=True):
        near = np.argsort(((LABELLED - x) ** 2).sum(1))[:n_neighbors]
        expected.append(np.mean([divergence(p[i], own) for i in near]))
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-9)
    assert found.indices.tolist() == np.argsort(-np.array(expected))[:15].tolist()


def test_small_divergences_keep_their_digits():
    p = np.array([[0.3, 0.7]])
    q = np.array([[0.3 + 1e-9, 0.7 - 1e-9]])
    found = _cal._mean_divergences(np.log(p), np.log(q), np.zeros((1, 1), dtype=int))
    np.testing.assert_allclose(found, 1e-18 / (2 * 0.3 * 0.7), rtol=1e-6)


def test_probabilities_of_zero_are_finite():
    samples = distributions(6, 1)
    samples[0] = [1.0, 0.0, 0.0]
    given = {"embeddings": np.zeros((6, 1)), "embeddings_labelled": np.zeros((1, 1))}
    labelled = np.array([[[0.5, 0.5, 0.0]]])
    found = CAL().select(Fixed(), samples, 6, X_labelled=labelled, **given)
    assert np.isfinite(found.utilities).all()
    assert found.indices[0] == 0


@pytest.mark.parametrize("none", [None, LABELLED[:0]])
def test_without_labels_samples_are_drawn(none):
    drawn = {
        tuple(CAL(embeddings=same, random_state=s).select(CLF, POOL, 5, X_labelled=none).indices)
        for s in (0, 0, 1, 2)
    }
    assert len(drawn) == 3


def test_utilities_are_those_of_scikit_activeml():
    pool = pytest.importorskip("skactiveml.pool")
    from skactiveml.classifier import SklearnClassifier

    known = np.where(np.arange(440) < 40, Y[:440], np.nan)
    theirs = pool.ContrastiveAL(nearest_neighbors_dict={"n_neighbors": 10}, random_state=0)
    clf = SklearnClassifier(LogisticRegression(C=1e-3, max_iter=500), classes=np.unique(Y[:40]))
    clf.fit(X[:40], Y[:40])
    picks, utilities = theirs.query(
        X[:440], known, clf, fit_clf=False, batch_size=15, return_utilities=True
    )
    found = CAL(embeddings=same).select(CLF, POOL, 15, X_labelled=LABELLED)
    # there probabilities are clipped at 1e-7
    np.testing.assert_allclose(found.utilities, utilities[0][40:], rtol=1e-4, atol=1e-5)
    assert found.indices.tolist() == (picks - 40).tolist()


def test_the_networks_own_embeddings():
    clf = CNNClassifier(max_epochs=1, random_state=0, classes=range(10)).fit(LABELLED, Y[:40])
    found = CAL().select(clf, POOL, 8, X_labelled=LABELLED)
    assert len(set(found.indices.tolist())) == 8
    assert found.utilities.min() >= 0


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'n_neighbors' parameter of CAL"):
        CAL(embeddings=same, n_neighbors=0).select(CLF, POOL, 3)
