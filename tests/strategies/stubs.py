"""Estimators whose predictions a test writes down."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Fixed(ClassifierMixin, BaseEstimator):
    """Predicts what the samples say: X of shape (N, T, C) has a distribution for each of T."""

    def __init__(self, t=0, classes=None):
        self.t = t
        self.classes = classes

    @property
    def classes_(self):
        return np.arange(3) if self.classes is None else np.asarray(self.classes)

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return X[:, self.t]


def distributions(N, T, C=3, seed=0, scale=2.0):
    """Random distributions (N, T, C)."""
    logits = np.random.default_rng(seed).normal(0, scale, (N, T, C))
    p = np.exp(logits)
    return p / p.sum(2, keepdims=True)
