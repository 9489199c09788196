"""What is measured on the test data after each round."""

from __future__ import annotations

import time
from typing import Any, TypedDict

import numpy as np


class Metrics(TypedDict):
    """The measurements of one round; None where the estimator has no probabilities."""

    accuracy: float
    balanced_accuracy: float
    log_loss: float | None


def measure(fitted: Any, X_test: Any, y_test: np.ndarray) -> tuple[Metrics, float]:
    """Measure a fitted classifier.

    Parameters
    ----------
    fitted : classifier
        Has `predict` and, for the log-loss, `predict_proba` and `classes_`.
    X_test : array-like
        The test images.
    y_test : ndarray of shape (n_samples,)
        Their labels.

    Returns
    -------
    Metrics
        Accuracy, balanced accuracy (the mean over the test data's classes of the share that is
        recognised) and log-loss (in nats; of a class that the estimator does not know, the
        probability counts as the smallest positive step of float64, 2.2e-16).
    float
        The seconds that `predict` took.
    """
    start = time.perf_counter()
    predicted = np.asarray(fitted.predict(X_test))
    seconds = time.perf_counter() - start
    right = predicted == y_test
    metrics = Metrics(
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[y_test == c].mean() for c in np.unique(y_test)])),
        log_loss=None,
    )
    if hasattr(fitted, "predict_proba"):
        probabilities = np.asarray(fitted.predict_proba(X_test), dtype=np.float64)
        metrics["log_loss"] = _log_loss(probabilities, np.asarray(fitted.classes_), y_test)
    return metrics, seconds


def _log_loss(probabilities: np.ndarray, classes: np.ndarray, y: np.ndarray) -> float:
    known = np.isin(y, classes)
    column = np.searchsorted(classes, y[known])
    of_truth = np.zeros(len(y))  # p(y_i | x_i), shape (N,)
    of_truth[known] = probabilities[known, column]
    return float(-np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1.0)).mean())
