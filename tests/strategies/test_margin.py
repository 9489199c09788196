"""Margin against its definition."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skactive import Margin
from tests.strategies import oracles


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_utilities(n_classes):
    log_p = log_softmax(np.random.default_rng(0).normal(0, 3, (50, n_classes)), axis=1)
    expected = [oracles.margin(p) for p in np.exp(log_p)]
    np.testing.assert_allclose(Margin()._utilities(log_p), expected, rtol=1e-9, atol=1e-12)


def test_orders_samples_the_network_is_certain_of():
    logits = np.array([[0.0, -60.0, -61.0], [0.0, -59.0, -62.0], [0.0, -70.0, -70.0]])
    utilities = Margin()._utilities(log_softmax(logits, axis=1))
    assert np.argsort(-utilities).tolist() == [1, 0, 2]
    expected = 2 * np.exp(logits[:, 1]) + np.exp(logits[:, 2])
    np.testing.assert_allclose(utilities, expected, rtol=1e-12)
