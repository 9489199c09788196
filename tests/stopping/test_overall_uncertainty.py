"""Mean entropy, summed term by term."""

import math

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from skactive.exceptions import UnsupportedEstimatorError
from skactive.stopping import OverallUncertainty


class Says:
    """Predicts what it is given."""

    def __init__(self, p):
        self.p = np.asarray(p)

    def predict_proba(self, X):
        return self.p[: len(X)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [2, 5])
def test_the_mean_entropy_as_a_share(C, dtype):
    p = np.random.default_rng(0).dirichlet(np.full(C, 0.3), 40).astype(dtype)
    p[3] = np.eye(C)[1]  # 0 log 0 is 0
    total = 0.0
    for row in p.astype(np.float64):
        total -= sum(q * math.log(q) for q in row if q > 0)
    expected = total / 40 / math.log(C)
    state = OverallUncertainty(threshold=expected + 1e-9)(Says(p), np.zeros((40, 1)))
    assert state.value == pytest.approx(expected, rel=1e-12)
    assert state.stop
    assert not OverallUncertainty(threshold=expected - 1e-9).judge(state.seen).stop


def test_the_ends_of_the_scale():
    X = np.zeros((3, 1))
    assert OverallUncertainty()(Says(np.full((3, 4), 0.25)), X).value == pytest.approx(1)
    certain = OverallUncertainty(threshold=0)(Says(np.eye(3)), X)
    assert certain.value == 0
    assert certain.stop


def test_who_knows_one_class_is_not_certain_of_it():
    state = OverallUncertainty(threshold=1)(Says(np.ones((3, 1))), np.zeros((3, 1)))
    assert np.isnan(state.value)
    assert not state.stop


def test_an_estimator_without_probabilities():
    ridge = RidgeClassifier().fit([[0.0], [1.0]], [0, 1])
    match = "OverallUncertainty needs .* predict_proba. Got RidgeClassifier .* Use Agreement"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        OverallUncertainty()(ridge, [[0.0]])


@pytest.mark.parametrize(
    ("p", "match"),
    [
        (np.log(np.full((3, 2), 0.5)), "predict_proba of the Says .* sums to -1.386.*not logits"),
        (np.full((3, 2), 50.0), "sums to 100"),
        (np.full((3, 2), np.nan), "predicts NaN or infinity, first for sample 0 of X_stop"),
        (np.full((2, 2), 0.5), r"of shape \(3, C\), a row for each sample .* Got .*\(2, 2\)"),
        (np.full(3, 0.5), r"Got an array of shape \(3,\)"),
    ],
)
def test_what_is_no_probability(p, match):
    with pytest.raises(ValueError, match=match):
        OverallUncertainty()(Says(p), np.zeros((3, 1)))
