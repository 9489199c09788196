"""LearningLoss: the highest predicted losses of a random subset."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import CNNClassifier, LearningLoss, LPLClassifier
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies import _learning_loss
from skactive.strategies.base._learner import OpenLearner

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 6)), np.arange(40) % 3
POOL = RNG.random((50, 6))


@pytest.fixture(scope="module")
def clf():
    return LPLClassifier(max_epochs=3, random_state=0, device="cpu").fit(X, Y)


class Known(ClassifierMixin, BaseEstimator):
    """Knows the losses: the first column."""

    classes_ = np.arange(2)

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_loss(self, X):
        return X[:, 0]


def test_the_highest_predicted_losses(clf):
    selection = LearningLoss(subset=None).select(clf, POOL, 7)
    expected = clf.predict_loss(POOL)
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-9)
    np.testing.assert_array_equal(selection.indices, np.argsort(-expected)[:7])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_subset(seed):
    query = LearningLoss(subset=20, batch_size=7, random_state=seed)
    selection = query.select(Known(), POOL, 5)
    scored = np.flatnonzero(~np.isnan(selection.utilities))
    assert len(scored) == 20
    np.testing.assert_array_equal(selection.utilities[scored], POOL[scored, 0])
    best = scored[np.argsort(-POOL[scored, 0])[:5]]
    np.testing.assert_array_equal(selection.indices, best)
    other = LearningLoss(subset=20, random_state=seed + 1).select(Known(), POOL, 5).utilities
    assert not np.array_equal(np.isnan(other), np.isnan(selection.utilities))
    with pytest.raises(ValueError, match=r"from 1 to 20 \(the size of subset\).* raise subset"):
        query.select(Known(), POOL, 21)
    with pytest.raises(ValueError, match="'subset' parameter of LearningLoss"):
        LearningLoss(subset=0).select(Known(), POOL)


def test_pipelines_searches_and_learners(clf):
    expected = LearningLoss(subset=None).select(clf, POOL, 5).indices
    learner = ActiveLearner(clf, LearningLoss(subset=None))
    np.testing.assert_array_equal(learner.query(POOL, n_instances=5)[0], expected)
    pipeline = make_pipeline(StandardScaler(), LPLClassifier(max_epochs=1, random_state=0))
    search = GridSearchCV(pipeline, {"lplclassifier__lr": [0.05]}, cv=2).fit(X, Y)
    scale, inner = search.best_estimator_
    np.testing.assert_allclose(
        LearningLoss(subset=None, batch_size=8).select(search, POOL, 5).utilities,
        inner.predict_loss(scale.transform(POOL)),
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    "estimator",
    [CNNClassifier(max_epochs=1, random_state=0), LogisticRegression()],
    ids=["CNNClassifier", "LogisticRegression"],
)
def test_estimators_that_predict_no_losses(estimator):
    name = type(estimator).__name__
    match = (
        r"LearningLoss needs a classifier that predicts losses, with predict_loss\(X\)\. "
        f"Got {name} instead\\. Use an LPLClassifier"
    )
    with pytest.raises(UnsupportedEstimatorError, match=match):
        LearningLoss().select(estimator.fit(X, Y), POOL)


def test_another_device_gets_a_copy(clf, monkeypatch):
    # "meta" has no values, but is another device on every machine
    monkeypatch.setattr(
        _learning_loss, "resolve_device", lambda device, owner: torch.device("meta")
    )
    moved = LearningLoss(device="cuda")._on_device(OpenLearner(clf))
    for network, original in [(moved.module_, clf.module_), (moved.loss_module_, clf.loss_module_)]:
        assert {p.device.type for p in network.parameters()} == {"meta"}
        assert {p.device.type for p in original.parameters()} == {"cpu"}
    assert (
        LearningLoss(device="cuda")._on_device(OpenLearner(Known())).predict_loss(X[:1]) == X[0, 0]
    )


def test_predictions_that_are_not_finite():
    pool = np.where(np.arange(300).reshape(50, 6) == 240, np.inf, 0.0)
    match = "The network queried by LearningLoss returns NaN or infinity, first for sample 40"
    with pytest.raises(ValueError, match=match):
        LearningLoss(batch_size=8).select(Known(), pool)
