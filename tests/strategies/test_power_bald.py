"""PowerBALD draws in proportion to a power of BALD's utility."""

import numpy as np
import pytest
from scipy.stats import chisquare

from skactive import BALD, PowerBALD
from tests.strategies.stubs import Fixed, distributions

P = distributions(5, 4, scale=1.0)
MEMBERS = [Fixed(t) for t in range(4)]


@pytest.mark.slow
@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_first_and_second_pick_follow_the_power(beta):
    weights = BALD().select(MEMBERS, P, 1).utilities ** beta
    weights /= weights.sum()
    runs, pairs = 2000, np.zeros((5, 5))
    for seed in range(runs):
        first, second = PowerBALD(beta=beta, random_state=seed).select(MEMBERS, P, 2).indices
        pairs[first, second] += 1
    # one after the other, without replacement
    expected = weights[:, None] * weights / (1 - weights[:, None])
    np.fill_diagonal(expected, 0)
    possible = expected > 0
    assert pairs[~possible].sum() == 0
    assert chisquare(pairs[possible], runs * expected[possible]).pvalue > 1e-4


def test_samples_without_information_come_last():
    p = P.copy()
    p[2] = p[2, :1]  # all draws agree
    for seed in range(20):
        assert PowerBALD(random_state=seed).select(MEMBERS, p, 5).indices[-1] == 2


def test_beta_is_checked_and_none_draws_afresh():
    with pytest.raises(ValueError, match="'beta' parameter of PowerBALD"):
        PowerBALD(beta=0).select(MEMBERS, P, 1)
    drawn = {tuple(PowerBALD().select(MEMBERS, P, 5).indices) for _ in range(20)}
    assert len(drawn) > 1
