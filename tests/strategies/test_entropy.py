"""Entropy against its definition."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skactive import Entropy
from tests.strategies import oracles


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_utilities(n_classes):
    log_p = log_softmax(np.random.default_rng(0).normal(0, 3, (50, n_classes)), axis=1)
    expected = [oracles.entropy(p) for p in np.exp(log_p)]
    np.testing.assert_allclose(Entropy()._utilities(log_p), expected, rtol=1e-9, atol=1e-12)


def test_extremes():
    uniform, certain = np.log(np.full((1, 4), 0.25)), np.array([[0.0, -np.inf, -np.inf, -np.inf]])
    assert Entropy()._utilities(uniform)[0] == pytest.approx(np.log(4))
    assert Entropy()._utilities(certain)[0] == 0


def test_keeps_its_digits_where_the_network_is_certain():
    # two classes, p = 1e-30: H = p − p log p + O(p²), though 1 − p rounds to 1
    log_p = np.array([[0.0, np.log(1e-30)]])
    assert Entropy()._utilities(log_p)[0] == pytest.approx(1e-30 * (1 + 30 * np.log(10)))
