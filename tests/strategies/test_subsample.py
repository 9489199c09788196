"""Subsample: a random part, mapped back to the pool, and nothing read beyond it."""

import numpy as np
import pytest
from sklearn.base import clone

from skactive import BAIT, CNNClassifier, Entropy, Random, Subsample
from skactive.strategies import QueryStrategy, Selection
from tests.strategies.stubs import Fixed, distributions

P = distributions(50, 1)


def test_utilities_and_indices_are_the_pools():
    whole = Entropy().select(Fixed(), P, 50).utilities
    found = Subsample(Entropy(), n=20, random_state=0).select(Fixed(), P, 5)
    part = np.flatnonzero(~np.isnan(found.utilities))
    assert len(part) == 20
    np.testing.assert_array_equal(found.utilities[part], whole[part])
    assert found.indices.tolist() == part[np.argsort(-whole[part])[:5]].tolist()


def test_every_sample_is_in_the_part_equally_often():
    counts = np.zeros(50)
    for seed in range(1000):
        found = Subsample(Random(), n=10, random_state=seed).select(None, P, 1)
        counts += ~np.isnan(found.utilities)
    assert (np.abs(counts - 200) < 5 * (1000 * 0.2 * 0.8) ** 0.5).all()


class Watching(list):
    def __init__(self, items):
        super().__init__(items)
        self.read = set()

    def __getitem__(self, index):
        found = super().__getitem__(index)
        self.read.update(range(*index.indices(len(self))) if isinstance(index, slice) else [index])
        return found


def test_nothing_beyond_the_part_is_read():
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 6)), np.arange(60) % 3
    clf = CNNClassifier(max_epochs=1, random_state=0, module_params={"width": 8}).fit(X, y)
    for strategy in (Entropy(batch_size=4), BAIT(batch_size=4)):
        pool = Watching(X)
        found = Subsample(strategy, n=15, random_state=0).select(clf, pool, 5)
        assert len(pool.read) == 15
        assert set(found.indices.tolist()) <= pool.read
        assert (found.gains is None) == isinstance(strategy, Entropy)


def test_a_small_pool_is_taken_whole():
    found = Subsample(Entropy(), n=50, random_state=0).select(Fixed(), P, 50)
    np.testing.assert_array_equal(found.utilities, Entropy().select(Fixed(), P, 50).utilities)


def test_seeds():
    def picks(strategy):
        return tuple(strategy.select(None, P, 5).indices)

    first, again, other = (picks(Subsample(Random(), n=20, random_state=s)) for s in (0, 0, 1))
    assert first == again != other
    drawn = {picks(Subsample(Random(random_state=0), n=20)) for _ in range(5)}
    assert len(drawn) > 1


def test_parameters():
    strategy = Subsample(Entropy(), n=20)
    assert strategy.set_params(strategy__batch_size=3).strategy.batch_size == 3
    assert clone(strategy).strategy is not strategy.strategy
    match = r"'n_instances' .* from 1 to 20 \(n, the size of the part\). Got 21 .* raise n"
    with pytest.raises(ValueError, match=match):
        strategy.select(Fixed(), P, 21)
    with pytest.raises(ValueError, match="'n' parameter of Subsample"):
        Subsample(Entropy(), n=0).select(Fixed(), P, 2)
    with pytest.raises(ValueError, match="'strategy' parameter of Subsample must be an instance"):
        Subsample(Entropy).select(Fixed(), P, 2)


def test_an_own_transformer_is_not_cloned_away():
    """A seeded member is a copy that shares its parts: a clone would be without what it learnt."""

    class Holds(QueryStrategy):
        def __init__(self, part, random_state=None):
            self.part = part
            self.random_state = random_state

        def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
            assert self.part is part
            assert self.random_state is not None
            return Selection(np.arange(n_instances), np.arange(len(X_pool))[::-1] * 1.0)

    part = object()
    member = Holds(part)
    Subsample(member, random_state=0).select(None, P, 2)
    assert member.random_state is None
