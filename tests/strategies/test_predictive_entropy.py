"""PredictiveEntropy against its definition."""

import numpy as np

from skactive import PredictiveEntropy
from tests.strategies import oracles
from tests.strategies.stubs import Fixed, distributions


def test_utilities():
    p = distributions(12, 5)
    found = PredictiveEntropy().select([Fixed(t) for t in range(5)], p, 3)
    expected = [oracles.entropy(draws.mean(0)) for draws in p]
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-10)
    assert found.indices.tolist() == np.argsort(expected)[::-1][:3].tolist()
