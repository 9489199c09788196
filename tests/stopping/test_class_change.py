"""Share of samples whose class changes, counted one by one."""

from itertools import pairwise

import numpy as np
import pytest

from skactive.stopping import ClassChange
from tests.stopping.test_agreement import rounds


@pytest.mark.parametrize("window", [1, 2])
def test_the_share_that_changes(window):
    seen = rounds(5, ["a", "b", "c"])
    changes = [
        sum(a != b for a, b in zip(one, other, strict=True)) / 80 for one, other in pairwise(seen)
    ]
    state = ClassChange(window=window, threshold=1.0).judge(seen)
    expected = [np.nan] * window
    expected += [np.mean(changes[r - window : r]) for r in range(window, len(seen))]
    np.testing.assert_allclose(state.values, expected, rtol=1e-12)
    assert state.stop


def test_by_default_nothing_may_change():
    one, other = np.arange(1000), np.arange(1000)
    assert ClassChange().judge([one, other]).stop
    other[7] = -1
    assert not ClassChange().judge([one, other]).stop
    assert not ClassChange().judge([one]).stop
