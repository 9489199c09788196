"""The samples nearest to the centers of clusters."""

import numpy as np
import pytest

from skactive.strategies.base._nearest import nearest_to_centers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_two_samples_that_are_equally_near_the_first_is_picked(dtype):
    """A cluster of two has its center in the middle; rounding must not decide."""
    rng = np.random.default_rng(0)
    first = 20 * rng.normal(size=(40, 7))
    X = np.concatenate([first, first + rng.normal(size=(40, 7))]).astype(dtype)
    found = nearest_to_centers(X, 40, np.random.default_rng(0))
    pairs = found.gains == 2
    assert pairs.sum() > 20
    assert (found.indices[pairs] < 40).all()
