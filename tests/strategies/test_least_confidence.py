"""LeastConfidence against its definition."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skactive import LeastConfidence
from tests.strategies import oracles


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_utilities(n_classes):
    log_p = log_softmax(np.random.default_rng(0).normal(0, 3, (50, n_classes)), axis=1)
    expected = [oracles.least_confidence(p) for p in np.exp(log_p)]
    np.testing.assert_allclose(LeastConfidence()._utilities(log_p), expected, rtol=1e-9, atol=1e-12)


def test_keeps_its_digits_where_the_network_is_certain():
    logits = np.array([[0.0, -60.0, -61.0], [0.0, -59.0, -62.0], [0.0, -70.0, -70.0]])
    utilities = LeastConfidence()._utilities(log_softmax(logits, axis=1))
    expected = np.exp(logits[:, 1]) + np.exp(logits[:, 2])
    np.testing.assert_allclose(utilities, expected, rtol=1e-12)
    assert (1 - np.exp(log_softmax(logits, axis=1)).max(1) == 0).all()  # the plain form is blind
