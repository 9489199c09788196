"""VariationRatio against its definitions."""

from collections import Counter

import numpy as np
import pytest

from skactive import VariationRatio
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
    assert found.indices.tolist() == np.argsort(-expected, kind="stable")[:3].tolist()


def test_equal_classes_give_the_vote_to_the_lower():
    p = np.array([[[0.4, 0.4, 0.2], [0.5, 0.2, 0.3]]])
    assert VariationRatio(voting="hard").select(MEMBERS[:2], p, 1).utilities[0] == 0


def test_voting_is_checked():
    with pytest.raises(ValueError, match="'voting' parameter of VariationRatio"):
        VariationRatio(voting="both").select(MEMBERS, P, 3)
