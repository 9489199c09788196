"""The measurements against cases worked out by hand, and against scikit-learn."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    recall_score,
    roc_auc_score,
)

from skactive._predictions import check_comparable
from skactive.experiments._metrics import check_metrics, measure
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


def test_f1_recall_and_calibration_by_hand():
    y = np.array(["a", "a", "a", "b"])
    fitted = SimpleNamespace(
        predict=lambda X: np.array(["a", "a", "b", "b"]),
        predict_proba=lambda X: np.array([[0.6, 0.4], [0.9, 0.1], [0.38, 0.62], [0.0, 1.0]]),
        classes_=np.array(["a", "b"]),
    )
    metrics, _ = measure(fitted, np.zeros(4), y)
    assert metrics["recall"] == {"a": pytest.approx(2 / 3), "b": 1}
    # Of a: precision 1, recall 2/3. Of b: precision 1/2, recall 1.
    assert metrics["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    # Bins (8/15, 9/15]: 0.6, right; (9/15, 10/15]: 0.62, wrong; (13/15, 14/15]: 0.9; the last: 1.
    bins = metrics["calibration"]
    assert [i for i, n in enumerate(bins["count"]) if n] == [8, 9, 13, 14]
    assert [bins["accuracy"][i] for i in (8, 9, 13, 14)] == [1, 0, 1, 1]
    assert bins["confidence"][9] == pytest.approx(0.62)
    assert bins["confidence"][0] is None
    assert metrics["ece"] == pytest.approx((0.4 + 0.62 + 0.1 + 0) / 4)


def test_f1_as_scikit_learn_has_it():
    X, y, X_test, y_test = digits()
    fitted = FlatSGD(random_state=0).fit(X, y)
    metrics, _ = measure(fitted, X_test, y_test)
    predicted = fitted.predict(X_test)
    assert metrics["macro_f1"] == pytest.approx(f1_score(y_test, predicted, average="macro"))
    expected = recall_score(y_test, predicted, average=None)
    assert list(metrics["recall"]) == [str(c) for c in range(10)]
    np.testing.assert_allclose(list(metrics["recall"].values()), expected)


def test_further_measurements():
    X, y, X_test, y_test = digits()
    fitted = FlatSGD(random_state=0).fit(X, y)
    more = check_metrics(["roc_auc_ovr"], "f") | check_metrics(
        {"size": lambda fitted, X, y: len(X), "undefined": lambda *_: np.nan}, "f"
    )
    metrics, _ = measure(fitted, X_test, y_test, more)
    expected = roc_auc_score(y_test, fitted.predict_proba(X_test), multi_class="ovr")
    assert metrics["metrics"] == {
        "roc_auc_ovr": pytest.approx(expected),
        "size": 200,
        "undefined": None,
    }
    assert check_metrics(None, "f") == {}


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("f1", r"'metrics' parameter of f must be a dict of name to scorer, or a list .* Got 'f1'"),
        (["best"], r"Got \{'best': 'best'\} instead\. A scorer takes .*get_scorer_names\(\) lists"),
        ({"a": 3}, r"Got \{'a': 3\} instead"),
        ({1: max}, r"Got \{1: <built-in function max>\}"),  # which does not say what it takes
        ({"a": accuracy_score}, r"takes an estimator, X and y.*make_scorer makes one"),
        (["accuracy"], r"named otherwise than what is always recorded\. Got 'accuracy'"),
        ({"n_labelled": lambda e, X, y: 1.0}, r"always recorded\. Got 'n_labelled'"),
    ],
)
def test_wrong_further_measurements(metrics, message):
    with pytest.raises(ValueError, match=message):
        check_metrics(metrics, "f")


@pytest.mark.parametrize(
    "value", [np.ones(3), np.ones(1), [1.0], {"a": 1}, None, "0.5", 1j], ids=repr
)
def test_a_measurement_is_one_number(value):
    X, y, X_test, y_test = digits()
    fitted = FlatSGD(random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"metrics\['m'\].* a scorer that returns one number. Got"):
        measure(fitted, X_test, y_test, {"m": lambda e, X, y: value})


def predicting(labels, p=None, classes=(0, 1)):
    """Return a classifier of two test images that says this."""
    fitted = SimpleNamespace(predict=lambda X: np.array(labels), classes_=np.array(classes))
    if p is not None:
        fitted.predict_proba = lambda X: np.array(p)
    return fitted


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([[0, 1], [1, 0]], r"must return an array of shape \(2,\), one label .* Got .*\(2, 2\)"),
        (1, r"of shape \(2,\)"),
        ([0], r"of shape \(2,\)"),
        (["0", "1"], "labels like the true ones, numbers such as 0. Got '0' among them"),
        ([0.0, 0.7], "numbers such as 0. Got 0.7 among them"),
    ],
)
def test_predictions_that_are_no_labels(labels, match):
    with pytest.raises(ValueError, match=rf"predict of the .* queried by run_experiment .*{match}"):
        measure(predicting(labels), np.zeros(2), np.array([0, 1]))


@pytest.mark.parametrize("labels", [[0.0, 1.0], [False, True], np.array([0, 1], object)])
def test_predictions_of_another_dtype(labels):
    assert measure(predicting(labels), np.zeros(2), np.array([0, 1]))[0]["accuracy"] == 1


@pytest.mark.parametrize(
    ("p", "match"),
    [
        (np.log([[0.5, 0.5], [0.9, 0.1]]), "must return probabilities"),
        (np.full((2, 2), np.nan), "predicts NaN or infinity, first for sample 0 of the test data"),
        (np.ones((2, 1)), r"of shape \(2, 2\), a row for each sample"),
    ],
)
def test_what_is_no_probability(p, match):
    with pytest.raises(ValueError, match=match):
        measure(predicting([0, 1], p), np.zeros(2), np.array([0, 1]))


def test_classes_in_any_order():
    y = np.array(["a", "b", "c"])
    p = np.array([[0.2, 0.3, 0.5], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1]])
    expected = -np.log([0.5, 0.7, 0.6]).mean()  # of the columns c, b, a
    metrics, _ = measure(predicting(y, p, classes=["c", "b", "a"]), np.zeros(3), y)
    assert metrics["log_loss"] == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [object, str])
def test_names_that_are_objects_are_told_of_too(dtype):
    """As a Series of pandas 3 holds them."""
    found = np.array([0, 1]), "numbers"
    true = np.array(["cat", "dog"], dtype=dtype), "strings"
    with pytest.raises(ValueError, match="strings such as 'cat'. Got 0 among them"):
        check_comparable(found, true, FlatSGD(), "run_experiment")
    with pytest.raises(ValueError, match="numbers such as 0. Got 'cat' among them"):
        check_comparable(true, found, FlatSGD(), "run_experiment")
