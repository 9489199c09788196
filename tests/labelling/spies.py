"""A classifier and a strategy that remember which images they have seen."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skactive.strategies import QueryStrategy

# Filled by copies too, as each round trains one.
FITTED, CHOSEN_FROM = [], []


def marks(images):
    """Each image of `make_marked` is of one colour, that of its number."""
    pixels = np.asarray(images)[:, 0, 0].astype(int)
    return (pixels[:, 0] + 256 * pixels[:, 1]).tolist()


class Nearest(ClassifierMixin, BaseEstimator):
    """The class whose mean blue value is nearest."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        FITTED.append((marks(X), self.random_state))
        blue = X[:, :, :, 2].mean(axis=(1, 2))
        self.classes_ = np.unique(y)
        self.means_ = np.array([blue[y == c].mean() for c in self.classes_])
        return self

    def predict_proba(self, X):
        blue = X[:, :, :, 2].mean(axis=(1, 2))
        score = -abs(blue[:, None] - self.means_) / 20
        p = np.exp(score - score.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)


class First(QueryStrategy):
    """Chooses the first samples of the pool."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        CHOSEN_FROM.append((marks(X_pool[np.arange(len(X_pool))]), marks(X_labelled)))
        return np.arange(n_instances)
