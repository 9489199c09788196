"""The samples of highest utility."""

import numpy as np
import pytest

from skactive.selection import top_n


def test_highest_first_ties_by_position_and_nan_never():
    utilities = np.array([3.0, np.nan, 5.0, 3.0, 5.0, -np.inf])
    found = top_n(utilities, 5)
    assert found.dtype == np.int64
    assert found.tolist() == [2, 4, 0, 3, 5]


def test_ties_at_random_only_among_equals():
    utilities = np.repeat([2.0, 1.0], 50)
    found = top_n(utilities, 60, random_state=0)
    assert set(found[:50]) == set(range(50))
    assert found[:50].tolist() != list(range(50))
    assert found.tolist() == top_n(utilities, 60, random_state=0).tolist()
    assert found.tolist() != top_n(utilities, 60, random_state=1).tolist()


@pytest.mark.parametrize(
    ("utilities", "n", "match"),
    [
        ([1.0, np.nan], 2, "from 1 to 1 \\(the utilities that are numbers\\). Got 2"),
        ([1.0], 0, "from 1 to 1"),
        ([[1.0]], 1, "one number per sample. Got an array of shape \\(1, 1\\)"),
    ],
)
def test_errors(utilities, n, match):
    with pytest.raises(ValueError, match=match):
        top_n(utilities, n)
