"""Agreement of successive networks, against the contingency table counted by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest

from skactive.stopping import Agreement

RNG = np.random.default_rng(0)


def kappa(one, other):
    """Cohen's kappa from the formula, pair by pair."""
    n = len(one)
    same = sum(a == b for a, b in zip(one, other, strict=True)) / n
    chance = 0.0
    for c in set(one) | set(other):
        chance += sum(a == c for a in one) / n * sum(b == c for b in other) / n
    return math.nan if chance == 1 else (same - chance) / (1 - chance)


def rounds(n, classes, share=0.3):
    """Predictions of successive rounds, a share of which change each time."""
    found = [RNG.choice(classes, 80)]
    for _ in range(n - 1):
        changed = RNG.random(80) < share
        found.append(np.where(changed, RNG.choice(classes, 80), found[-1]))
    return found


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("classes", [[0, 1], ["a", "b", "long name"], [3.0, 7.0]], ids=str)
def test_the_mean_of_the_last_pairs(window, classes):
    seen = rounds(6, classes)
    pairs = [kappa(a, b) for a, b in pairwise(seen)]
    state = Agreement(window=window, threshold=0.5).judge(seen)
    expected = [
        math.nan if r < window else np.mean(pairs[r - window : r]) for r in range(len(seen))
    ]
    np.testing.assert_allclose(state.values, expected, rtol=1e-12)
    assert state.value == state.values[-1]
    assert state.stop == (expected[-1] >= 0.5)
    at = Agreement(window=window, threshold=float(state.value))
    assert at.judge(seen).stop  # the threshold itself is enough
    above = Agreement(window=window, threshold=float(np.nextafter(state.value, 2)))
    assert not above.judge(seen).stop


def test_networks_that_know_one_class_agree_on_nothing():
    state = Agreement(window=1, threshold=-1).judge([np.zeros(9)] * 4)
    assert np.isnan(state.values).all()
    assert not state.stop
    # two networks, each of one class, but not the same: no better than chance
    assert Agreement(window=1).judge([np.zeros(9), np.ones(9)]).value == 0


def test_an_opposite_network():
    assert Agreement(window=1).judge([[0, 1, 0, 1], [1, 0, 1, 0]]).value == -1
