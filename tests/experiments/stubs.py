"""Small stand-ins for the estimator, the strategies and the data of an experiment."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier


class FlatSGD(ClassifierMixin, BaseEstimator):
    """Logistic regression on flattened images; what it learns depends on random_state."""

    def __init__(self, alpha=1e-3, random_state=None):
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X, y):
        self.model_ = SGDClassifier(
            loss="log_loss", alpha=self.alpha, max_iter=5, tol=None, random_state=self.random_state
        ).fit(_flat(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(_flat(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(_flat(X))


class Shuffled(BaseEstimator):
    """Picks at random."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        order = np.random.default_rng(self.random_state).permutation(len(X_pool))
        return SimpleNamespace(indices=order[:n_instances])


class Unsure(BaseEstimator):
    """Picks where the highest probability is lowest."""

    def __init__(self, power=1, random_state=None):
        self.power = power
        self.random_state = random_state

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        confidence = estimator.predict_proba(X_pool).max(axis=1) ** self.power
        return SimpleNamespace(indices=np.argsort(confidence, kind="stable")[:n_instances])


class Fixed(BaseEstimator):
    """Picks what it is told to."""

    def __init__(self, indices):
        self.indices = indices

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        return SimpleNamespace(indices=self.indices)


def _flat(X):
    return np.asarray(X).reshape(len(X), -1)


def digits():
    """Return X, y, X_test, y_test: 300 and 200 images of 8×8."""
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8) / 16).astype(np.float32)
    return X[:300], y[:300], X[300:500], y[300:500]


def numbers(results):
    """Return all that a run must reproduce: everything but what it took."""
    frame = results.frame
    took = [c for c in frame if c.endswith("_seconds") or c.startswith("peak_")]
    return frame.drop(columns=took).sort_values(["strategy", "seed", "round"], ignore_index=True)


BUDGET = {"n_initial": 20, "n_instances": 10, "n_rounds": 3}
STRATEGIES = {"unsure": Unsure(), "shuffled": Shuffled()}
