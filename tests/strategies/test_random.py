"""Random draws uniformly, and needs nothing but the pool's size."""

import numpy as np

from skactive import Random


def test_uniform_over_the_pool():
    counts = np.zeros(20)
    for seed in range(2000):
        counts[Random(random_state=seed).select(None, range(20), 5).indices] += 1
    # each position is in a quarter of the draws: mean 500, standard deviation 19.4
    assert np.abs(counts - 500).max() < 5 * 19.4


def test_none_draws_afresh_and_leaves_the_global_generator():
    before = np.random.get_state()[1].tolist()
    draws = {tuple(Random().select(None, range(1000), 10).indices) for _ in range(5)}
    assert len(draws) == 5
    assert np.random.get_state()[1].tolist() == before


def test_a_generator_moves_on():
    rng = np.random.default_rng(0)
    strategy = Random(random_state=rng)
    first, second = (strategy.select(None, range(1000), 10).indices for _ in range(2))
    assert not np.array_equal(first, second)
