import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score

from skactive.labelling._measures import balanced_accuracy, wilson


@pytest.mark.parametrize("n", [1, 2, 7, 50, 200, 1000])
def test_wilson_against_scipy(n):
    for right in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        for level in (0.9, 0.95):
            expected = binomtest(right, n).proportion_ci(level, method="wilson")
            assert wilson(right, n, level) == pytest.approx((expected.low, expected.high))


def test_wilson_of_nothing():
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_accuracy_against_scikit_learn(seed):
    draw = np.random.default_rng(seed)
    true = draw.integers(0, 4, 50)
    predicted = np.where(draw.random(50) < 0.6, true, draw.integers(0, 4, 50))
    one, other = true.tolist(), predicted.tolist()
    predicted[~np.isin(predicted, true)] = true[0]
    assert balanced_accuracy(one, other) == pytest.approx(balanced_accuracy_score(true, predicted))
