"""What is measured on the test data after each round."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import numpy as np

from skactive._one_label import labels_of_one_kind
from skactive._predictions import (
    check_comparable,
    known_classes,
    predicted_labels,
    predicted_probabilities,
)
from skactive._validation import invalid

OWNER = "run_experiment"
N_BINS = 15  # of the confidence, as in Guo et al.


class Calibration(TypedDict):
    """The test images by confidence, in bins of equal width from 0 to 1; None where empty."""

    count: list[int]
    confidence: list[float | None]
    accuracy: list[float | None]


class Metrics(TypedDict):
    """The measurements of one round; None where the estimator has no probabilities."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    recall: dict[str, float]
    log_loss: float | None
    ece: float | None
    calibration: Calibration | None
    metrics: dict[str, float | None]


def measure(
    fitted: Any,
    X_test: Any,
    y_test: np.ndarray,
    more: Mapping[str, Callable[..., float]] | None = None,
) -> tuple[Metrics, float]:
    """Measure a fitted classifier.

    Parameters
    ----------
    fitted : classifier
        Has `predict` and, for what needs probabilities, `predict_proba` and `classes_`.
    X_test : array-like
        The test images.
    y_test : ndarray of shape (n_samples,)
        Their labels.
    more : dict of str to callable, default=None
        Further measurements: each takes the classifier, the images and the labels.

    Returns
    -------
    Metrics
        Accuracy; recall of each class of the test data (the share of it that is recognised), and
        their mean, the balanced accuracy; the mean of the classes' F1 scores; log-loss (in nats;
        for a class that the estimator does not know, the probability counts as the smallest
        positive step of float64, 2.2e-16); the expected calibration error and its bins.
    float
        The seconds that `predict` took.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger. "On Calibration of Modern Neural Networks".
    arXiv:1706.04599, 2017: the expected calibration error.
    """
    start = time.perf_counter()
    found = predicted_labels(fitted, X_test, OWNER, len(y_test))
    seconds = time.perf_counter() - start
    check_comparable(found, labels_of_one_kind("y_test", y_test, OWNER), fitted, OWNER)
    predicted = found[0]
    right = predicted == y_test
    classes = np.unique(y_test)
    recall = np.array([right[y_test == c].mean() for c in classes])
    metrics = Metrics(
        accuracy=float(right.mean()),
        balanced_accuracy=float(recall.mean()),
        macro_f1=float(np.mean([_f1(predicted == c, y_test == c) for c in classes])),
        recall={str(c): float(share) for c, share in zip(classes.tolist(), recall, strict=True)},
        log_loss=None,
        ece=None,
        calibration=None,
        metrics={},
    )
    if hasattr(fitted, "predict_proba"):
        known = known_classes(_classifier(fitted), OWNER)
        shape = (len(y_test), len(known))
        p = predicted_probabilities(fitted, X_test, OWNER, shape=shape, of="the test data")
        probabilities = p.astype(np.float64)
        metrics["log_loss"] = _log_loss(probabilities, known, y_test)
        metrics["calibration"] = bins = calibration(probabilities.max(axis=1), right)
        metrics["ece"] = expected_calibration_error(bins)
    for name, scorer in (more or {}).items():
        metrics["metrics"][name] = _number(name, scorer(fitted, X_test, y_test))
    return metrics, seconds


def _classifier(fitted: Any) -> Any:
    """Return what lists the classes of `predict_proba`; a modAL learner leaves them inside."""
    while not hasattr(fitted, "classes_") and hasattr(fitted, "estimator"):
        fitted = fitted.estimator
    return fitted


def _number(name: str, value: Any) -> float | None:
    """Return what a scorer has measured; None for what is not finite."""
    try:
        number = None if isinstance(value, (str, bytes)) or np.ndim(value) else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None:
        remedy = "Write a scorer for each number, and name each."
        raise invalid(
            f"metrics[{name!r}]", OWNER, "a scorer that returns one number", value, remedy
        )
    return number if np.isfinite(number) else None


def _f1(predicted: np.ndarray, true: np.ndarray) -> float:
    """2 TP / (2 TP + FP + FN); the class is there, so that the sum is not 0."""
    return float(2 * (predicted & true).sum() / (predicted.sum() + true.sum()))


def _log_loss(probabilities: np.ndarray, classes: np.ndarray, y: np.ndarray) -> float:
    known = np.isin(y, classes)
    order = np.argsort(classes)  # an estimator may list them in any
    column = order[np.searchsorted(classes, y[known], sorter=order)]
    of_truth = np.zeros(len(y))  # p(y_i | x_i), shape (N,)
    of_truth[known] = probabilities[known, column]
    return float(-np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1.0)).mean())


def calibration(confidence: np.ndarray, right: np.ndarray) -> Calibration:
    """Sort predictions into bins of confidence, ((b-1)/15, b/15] each, and average in them."""
    bins = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    count = np.bincount(bins, minlength=N_BINS)
    sums = (np.bincount(bins, weights=of, minlength=N_BINS) for of in (confidence, right))
    means = [
        [float(s / n) if n else None for s, n in zip(of_bins, count, strict=True)]
        for of_bins in sums
    ]
    return Calibration(count=count.tolist(), confidence=means[0], accuracy=means[1])


def expected_calibration_error(bins: Calibration) -> float:
    """Return Σ_b n_b/N · |accuracy_b − confidence_b|."""
    gaps = [
        n * abs(accuracy - confidence)
        for n, confidence, accuracy in zip(*bins.values(), strict=True)
        if n
    ]
    return sum(gaps) / sum(bins["count"])


def check_metrics(metrics: Any, owner: str) -> dict[str, Callable[..., float]]:
    """Return further measurements by name; names of scikit-learn's scorers are looked up."""
    from sklearn.metrics import get_scorer, get_scorer_names

    from skactive.experiments._records import Record  # which needs what is measured here

    if metrics is None:
        return {}
    must = "a dict of name to scorer, or a list of names of scikit-learn's scorers"
    if isinstance(metrics, (list, tuple)) and all(isinstance(name, str) for name in metrics):
        metrics = {name: name for name in metrics}
    if not isinstance(metrics, Mapping):
        raise invalid("metrics", owner, must, metrics, "For example ['roc_auc_ovr'].")
    known = set(get_scorer_names())
    for name, scorer in metrics.items():
        good = scorer in known if isinstance(scorer, str) else _takes_three(scorer)
        if not isinstance(name, str) or not good:
            raise invalid(
                "metrics",
                owner,
                must,
                {name: scorer},
                "A scorer takes an estimator, X and y; sklearn.metrics.get_scorer_names() lists "
                "scikit-learn's, and make_scorer makes one of a function of labels.",
            )
        if name in Record.__annotations__:  # it would take the place of that column
            raise invalid("metrics", owner, "named otherwise than what is always recorded", name)
    return {n: get_scorer(s) if isinstance(s, str) else s for n, s in metrics.items()}


def _takes_three(scorer: Any) -> bool:
    """Whether something can be called with an estimator, images and labels, as far as it says."""
    if not callable(scorer):
        return False
    try:
        inspect.signature(scorer).bind(None, None, None)
    except ValueError:  # written in C, it need not say
        return True
    except TypeError:
        return False
    return True
