"""The measurements against cases worked out by hand, and against scikit-learn."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from skactive.experiments._metrics import measure
from tests.experiments.stubs import FlatSGD, digits


def test_by_hand():
    y = np.array(["a", "a", "a", "b"])
    fitted = SimpleNamespace(
        predict=lambda X: np.array(["a", "a", "b", "b"]),
        predict_proba=lambda X: np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]),
        classes_=np.array(["a", "b"]),
    )
    metrics, seconds = measure(fitted, np.zeros(4), y)
    assert metrics["accuracy"] == 3 / 4
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics["log_loss"] == pytest.approx((np.log(2) * 2 + np.log(4)) / 4)
    assert seconds >= 0


def test_as_scikit_learn_has_it():
    X, y, X_test, y_test = digits()
    fitted = FlatSGD(random_state=0).fit(X, y)
    metrics, _ = measure(fitted, X_test, y_test)
    predicted = fitted.predict(X_test)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(y_test, predicted))
    assert metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y_test, predicted))
    assert metrics["log_loss"] == pytest.approx(log_loss(y_test, fitted.predict_proba(X_test)))


def test_a_class_that_was_not_seen_costs_a_bounded_loss():
    X, y, X_test, y_test = digits()
    seen = y < 5
    metrics, _ = measure(FlatSGD(random_state=0).fit(X[seen], y[seen]), X_test, y_test)
    unseen = (y_test >= 5).mean()
    assert metrics["log_loss"] > unseen * 36
    assert metrics["log_loss"] < 37
    assert metrics["balanced_accuracy"] < 0.6
