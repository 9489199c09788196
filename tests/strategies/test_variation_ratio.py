"""VariationRatio against its definitions."""

from collections import Counter

import numpy as np
import pytest

from skactive import VariationRatio
from skactive.strategies.base._monte_carlo import mean_log_probabilities
from tests.strategies.stubs import Fixed, distributions

P = distributions(30, 7)
MEMBERS = [Fixed(t) for t in range(7)]


def test_soft_votes():
    expected = [1 - max(sum(column) / 7 for column in draws.T) for draws in P]
    found = VariationRatio().select(MEMBERS, P, 3)
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-10)
    assert found.indices.tolist() == np.argsort(expected)[::-1][:3].tolist()


def test_hard_votes():
    votes = [Counter(max(range(3), key=lambda c: q[c]) for q in draws.tolist()) for draws in P]
    expected = np.array([(7 - count.most_common(1)[0][1]) / 7 for count in votes])
    found = VariationRatio(voting="hard").select(MEMBERS, P, 3)
    np.testing.assert_array_equal(found.utilities, expected)
    np.testing.assert_array_equal(expected[found.indices], np.sort(expected)[::-1][:3])


def test_a_pool_sorted_by_class_gives_all_classes():
    """Of 200 samples 160 have one vote of three against the rest; the pool is in class order.

    Ties went by position, so that the first classes alone were asked for (modAL#130).
    """
    y = np.repeat(np.arange(10), 20)
    votes = np.tile(y[:, None], 3)
    against = np.arange(200) % 5 != 0
    votes[against, 0] = (y[against] + 1) % 10
    pool = np.eye(10)[votes]
    found = VariationRatio(voting="hard", random_state=0).select(
        [Fixed(t, range(10)) for t in range(3)], pool, 50
    )
    assert against[found.indices].all()
    assert np.bincount(y[found.indices], minlength=10).min() >= 2


def test_equal_classes_give_the_vote_to_the_lower():
    p = np.array([[[0.4, 0.4, 0.2], [0.5, 0.2, 0.3]]])
    assert VariationRatio(voting="hard").select(MEMBERS[:2], p, 1).utilities[0] == 0


def test_voting_is_checked():
    with pytest.raises(ValueError, match="'voting' parameter of VariationRatio"):
        VariationRatio(voting="both").select(MEMBERS, P, 3)


def test_the_mean_of_draws_is_that_of_the_plain_formula():
    rng = np.random.default_rng(0)
    with np.errstate(divide="ignore"):
        log_p = np.log(rng.dirichlet(np.full(7, 0.05), size=(5, 9000)))
    log_p[:, 0] = [-np.inf] * 6 + [0.0]  # a class that no draw has
    log_p[:, 1] = [-1e4, 0.0, *[-np.inf] * 5]  # below what a float can be
    plain = np.logaddexp.reduce(log_p, axis=0) - np.log(5)
    np.testing.assert_allclose(mean_log_probabilities(log_p), plain, rtol=1e-12, atol=1e-12)
