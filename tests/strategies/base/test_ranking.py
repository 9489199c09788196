"""Equal utilities are drawn from, wherever utilities are ranked; without ties no seed decides."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chisquare

from skactive import BALD, ClassBalanced, Entropy, LeastConfidence, Margin, VariationRatio
from skactive.strategies.base._ranking import highest
from skactive.strategies.base._subset import SubsetStrategy
from tests.strategies.stubs import Fixed, distributions


class Written(SubsetStrategy):
    """Scores that the samples are."""

    subset = None
    batch_size = 256

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def _score(self, estimator, pool):
        return np.asarray(pool[:])[:, 0, 0]


RANKED = {
    "Margin": (lambda seed: Margin(random_state=seed), Fixed()),
    "Entropy": (lambda seed: Entropy(random_state=seed), Fixed()),
    "LeastConfidence": (lambda seed: LeastConfidence(random_state=seed), Fixed()),
    "BALD": (lambda seed: BALD(random_state=seed), [Fixed(0), Fixed(1)]),
    "hard votes": (
        lambda seed: VariationRatio(voting="hard", random_state=seed),
        [Fixed(0), Fixed(1)],
    ),
    "a subset": (lambda seed: Written(random_state=seed), Fixed()),
    "ClassBalanced": (lambda seed: ClassBalanced(Entropy(), random_state=seed), Fixed()),
}
ranked = pytest.mark.parametrize(("make", "estimator"), RANKED.values(), ids=RANKED)


@ranked
def test_equals_are_a_uniform_draw_without_replacement(make, estimator):
    pool = np.tile(distributions(1, 2), (5, 1, 1))
    counts = Counter(
        tuple(make(seed).select(estimator, pool, 2).indices.tolist()) for seed in range(1000)
    )
    assert set(counts) <= set(permutations(range(5), 2))
    assert chisquare([counts[pair] for pair in permutations(range(5), 2)]).pvalue > 1e-3


@ranked
def test_the_same_seed_gives_the_same_picks_and_none_draws_afresh(make, estimator):
    pool = np.tile(distributions(1, 2), (300, 1, 1))

    def picks(seed):
        return make(seed).select(estimator, pool, 20).indices.tolist()

    assert picks(3) == picks(3)
    assert picks(None) != picks(None)
    assert picks(np.random.default_rng(3)) == picks(np.random.default_rng(3))
    assert picks(np.random.RandomState(3)) == picks(np.random.RandomState(3))


@pytest.mark.parametrize("name", sorted(RANKED.keys() - {"hard votes"}))  # two always tie
def test_without_ties_no_seed_decides(name):
    make, estimator = RANKED[name]
    pool = distributions(40, 2)
    found = make(0).select(estimator, pool, 40)
    by_hand = np.argsort(-found.utilities, kind="stable")
    assert len(set(found.utilities.tolist())) == 40
    for seed in (0, 1, None, np.random.default_rng(5)):
        np.testing.assert_array_equal(make(seed).select(estimator, pool, 40).indices, by_hand)


def test_only_equals_change_places():
    utilities = np.array([2.0, 0.0, 1.0, 1.0, np.nan, 3.0, 1.0])
    orders = {
        tuple(highest(utilities, 5, np.random.default_rng(seed)).indices.tolist())
        for seed in range(100)
    }
    assert orders == {(5, 0, *middle) for middle in permutations((2, 3, 6))}
