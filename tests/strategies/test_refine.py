"""Refine: what is sifted, from what, and who chooses at last."""

import numpy as np
import pytest

from skactive import Entropy, LeastConfidence, Margin, QueryStrategy, Random, Refine, Selection
from tests.strategies.stubs import Fixed, distributions

P = distributions(200, 1)


class Spy(QueryStrategy):
    """Chooses the highest of some numbers that it gives the samples, and notes what it saw."""

    def __init__(self, values, seen, *, random_state=None):
        self.values = values
        self.seen = seen
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        at = np.asarray(X_pool[:])[:, 0, 0].astype(int)
        self.seen.append((at.tolist(), self.random_state, X_labelled, y_labelled))
        order = np.argsort(-self.values[at], kind="stable")[:n_instances]
        return Selection(order, self.values[at].astype(float))


POOL = np.arange(200.0)[:, None, None] * np.ones((1, 1, 3))
UP, DOWN = np.arange(200), -np.arange(200)


def test_each_sifting_leaves_what_some_member_chose():
    up, down = [], []
    query = Refine(
        [Spy(UP, up), Spy(DOWN, down)], n_sifts=3, n_batches=5, part=50, share=0.5, random_state=0
    )
    found = query.select(None, POOL, 10, X_labelled=POOL[:7], y_labelled=np.arange(7))
    assert len(up) == 3 * 2  # ⌊5/2⌋ batches each, three times
    assert len(down) == 3 * 2 + 1  # and the last one chooses
    left = set(range(200))
    for start in range(0, 6, 2):
        kept = set()
        for seen, sign in ((up, -1), (down, 1)):
            for at, _, X, y in seen[start : start + 2]:
                assert set(at) <= left
                assert at == sorted(at)
                expected = 50 if start == 0 else max(10, len(left) // 2)
                assert len(at) == min(expected, len(left))
                assert (len(X), len(y)) == (7, 7)
                kept |= set(sorted(at, key=lambda i: sign * i)[:10])
        left = kept
    assert down[-1][0] == sorted(left)
    assert found.indices.tolist() == sorted(left)[:10]
    assert np.isnan(found.utilities[sorted(set(range(200)) - left)]).all()
    np.testing.assert_array_equal(found.utilities[sorted(left)], [-i for i in sorted(left)])
    seeds = [seed for _, seed, *_ in up + down]
    assert len(set(seeds)) == len(seeds)  # each batch has its own
    again = [], []
    query.set_params(strategies=[Spy(UP, again[0]), Spy(DOWN, again[1])])
    query.select(None, POOL, 10, X_labelled=POOL[:7], y_labelled=np.arange(7))
    assert [one[:2] for one in again[0] + again[1]] == [one[:2] for one in up + down]


def test_limits():
    seen = []
    alone = Refine([Spy(UP, seen)], n_sifts=0).select(None, POOL, 3)
    assert alone.indices.tolist() == [199, 198, 197]
    assert [len(one[0]) for one in seen] == [200]
    seen.clear()
    settings = {"n_batches": 2, "part": 3, "share": 0.01, "max_left": 2, "random_state": 0}
    found = Refine([Spy(UP, seen)], **settings).select(None, POOL, 8)
    assert [len(one[0]) for one in seen] == [8] * 11  # n samples, whatever the settings say
    assert len(set(found.indices.tolist())) == 8
    whole = Refine([Spy(UP, seen)], n_batches=1).select(None, POOL, 200)
    assert sorted(whole.indices) == list(range(200))
    own = Refine([Spy(UP, seen, random_state=7)], n_batches=1)
    seen.clear()
    own.select(None, POOL, 5)
    assert {one[1] for one in seen} == {7}


def test_names_parameters_and_a_committee():
    query = Refine([Random(), ("wavering", Margin()), Entropy()], n_batches=3, random_state=0)
    query.set_params(wavering__batch_size=5)
    assert query.get_params()["wavering__batch_size"] == 5
    members = [Fixed(), Fixed()]
    found = query.select(members, P, 6)
    worst = LeastConfidence().select(members, P, 200).indices  # among the picks are sure ones
    assert len(set(found.indices.tolist())) == 6
    assert set(found.indices) & set(worst[:60])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"strategies": []}, "'strategies' parameter of Refine must be a list of one strategy"),
        ({"strategies": [3]}, "'strategies' parameter of Refine must be a list of one strategy"),
        ({"n_batches": 1}, "'n_batches' parameter of Refine must be at least the number of str"),
        ({"share": 0.0}, "'share' parameter of Refine"),
        ({"share": 1.5}, "'share' parameter of Refine"),
        ({"n_sifts": -1}, "'n_sifts' parameter of Refine"),
        ({"part": 0}, "'part' parameter of Refine"),
        ({"max_left": 0}, "'max_left' parameter of Refine"),
    ],
)
def test_wrong_parameters(given, match):
    with pytest.raises(ValueError, match=match):
        Refine(**{"strategies": [Random(), Margin()], **given}).select(Fixed(), P, 1)
