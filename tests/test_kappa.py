"""Cohen's kappa, against counts by hand, and where it is not defined."""

import math

import numpy as np
import pytest

from skactive._kappa import kappa


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [[0, 1], ["a", "b", "long name"], [2, 5, 7, 9]], ids=str)
def test_against_the_formula(seed, classes):
    draw = np.random.default_rng(seed)
    one = draw.choice(classes, 50)
    other = np.where(draw.random(50) < 0.6, one, draw.choice(classes, 50))
    o = sum(a == b for a, b in zip(one, other, strict=True)) / 50
    e = sum((one == c).sum() * (other == c).sum() for c in classes) / 50**2
    assert kappa(one.tolist(), other.tolist()) == pytest.approx((o - e) / (1 - e))


def test_chance_agrees_on_a_single_class_too():
    assert math.isnan(kappa([1, 1], [1, 1]))
    assert kappa([1, 1], [2, 2]) == 0
