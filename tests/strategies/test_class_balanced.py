"""ClassBalanced against the sum that it maximises."""

import itertools

import numpy as np
import pytest

from skactive import ClassBalanced, Entropy, FisherMask, Margin, PowerBALD, Random, Subsample
from skactive.exceptions import UnsupportedEstimatorError
from tests.strategies.stubs import Fixed, distributions

P = distributions(12, 1)
P[:8, 0, 0] += 3  # most are predicted to be of class 0
P /= P.sum(2, keepdims=True)
PREDICTED = P[:, 0].argmax(1)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 3.0])
def test_the_batch_maximises_the_weighted_sum(strength):
    u = Margin().select(Fixed(), P, 1).utilities
    share = [np.mean(c == PREDICTED) for c in range(3)]
    weighted = [u[i] / share[PREDICTED[i]] ** strength for i in range(12)]
    best = max(itertools.combinations(range(12), 3), key=lambda S: sum(weighted[i] for i in S))
    found = ClassBalanced(Margin(), strength=strength).select(Fixed(), P, 3)
    assert set(found.indices) == set(best)
    np.testing.assert_allclose(found.utilities, weighted)
    if strength == 0:
        assert found.indices.tolist() == Margin().select(Fixed(), P, 3).indices.tolist()


def test_each_predicted_class_has_the_same_weight_in_total():
    class Even(Random):
        def choose(self, *args):
            found = super().choose(*args)
            found.utilities[:] = 1.0
            return found

    weights = ClassBalanced(Even()).select(Fixed(), P, 1).utilities
    totals = [weights[c == PREDICTED].sum() for c in np.unique(PREDICTED)]
    np.testing.assert_allclose(totals, 12)


def test_samples_that_were_not_scored_stay_so():
    found = ClassBalanced(Subsample(Entropy(), n=7), random_state=0).select(Fixed(), P, 7)
    assert np.isnan(found.utilities).sum() == 5


def test_strategies_that_it_cannot_weight():
    match = r"'strategy' .* a utility of at least 0, as Entropy does. Got PowerBALD.*Hybrid"
    with pytest.raises(ValueError, match=match):
        ClassBalanced(PowerBALD(random_state=0)).select([Fixed()] * 2, P, 2)
    with pytest.raises(ValueError, match="'strength' parameter of ClassBalanced"):
        ClassBalanced(Entropy(), strength=-1).select(Fixed(), P, 2)
    with pytest.raises(UnsupportedEstimatorError, match="FisherMask needs a torch network"):
        ClassBalanced(FisherMask()).select(Fixed(), P, 2)
