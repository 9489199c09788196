"""MeanEntropy against its definition."""

import numpy as np

from skactive import MeanEntropy
from tests.strategies import oracles
from tests.strategies.stubs import Fixed, distributions


def test_utilities():
    p = distributions(12, 5)
    found = MeanEntropy().select([Fixed(t) for t in range(5)], p, 3)
    expected = [np.mean([oracles.entropy(q) for q in draws]) for draws in p]
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-10)
    assert found.indices.tolist() == np.argsort(expected)[::-1][:3].tolist()
