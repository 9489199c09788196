"""Hybrid shares a batch out; its members, their names, their parameters, their seeds."""

import numpy as np
import pytest
from modAL.models import ActiveLearner, Committee
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import (
    BALD,
    CNNClassifier,
    Entropy,
    FisherMask,
    Hybrid,
    LeastConfidence,
    Margin,
    Random,
    Selection,
    Subsample,
)
from skactive._pool import Pool
from skactive.strategies import QueryStrategy
from tests.strategies.stubs import Fixed, distributions

P = distributions(30, 2)
ONE = Fixed(0)


class Ranked(QueryStrategy):
    """Wants the samples in an order that is written in them; notes what it was asked for."""

    def __init__(self, ascending=True, seen=None, random_state=None):
        self.ascending = ascending
        self.seen = seen
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        values = np.array([X_pool[np.array([i])][0] for i in range(len(X_pool))], dtype=float)
        if self.seen is not None:
            self.seen.append((values.tolist(), n_instances, X_labelled, y_labelled))
        values = -values if self.ascending else values
        order = np.argsort(-values, kind="stable")[:n_instances]
        return Selection(order, values)


def test_later_members_choose_from_what_is_left():
    seen = []
    pool = np.array([5, 1, 4, 2, 3])
    hybrid = Hybrid([Ranked(), Ranked(seen=seen), Ranked(False)])
    found = hybrid.select(None, pool, 5, X_labelled="X", y_labelled=["y"])
    assert found.indices.tolist() == [1, 3, 4, 2, 0]  # 1 2 | 3 4 | 5
    assert found.gains.tolist() == [-1, -2, -3, -4, 5]
    assert found.utilities is None
    assert seen == [([5, 4, 3], 2, "X", ["y"])]


@pytest.mark.parametrize(
    ("shares", "n", "counts"),
    [
        (None, 7, [3, 2, 2]),
        (None, 1, [1, 0, 0]),
        ([1, 2, 1], 8, [2, 4, 2]),
        ([0.5, 0.25, 0.25], 7, [3, 2, 2]),
        ([0, 1, 0], 4, [0, 4, 0]),
        ([0.29, 0.70, 0.01], 100, [29, 70, 1]),
        ([1e-9, 1, 1], 3, [0, 2, 1]),
    ],
)
def test_counts(shares, n, counts):
    assert Hybrid([Random()] * 3, shares=shares)._counts(n) == counts


def test_halves_are_the_members_own_picks():
    found = Hybrid([Entropy(), Margin()], shares=[3, 1]).select(ONE, P, 8).indices
    first = Entropy().select(ONE, P, 6).indices
    rest = np.setdiff1d(np.arange(30), first)
    second = rest[Margin().select(ONE, P[rest], 2).indices]
    assert found.tolist() == [*first, *second]


def test_fishent_in_modal_pipelines_and_committees():
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 6)), np.arange(60) % 3
    pipeline = make_pipeline(StandardScaler(), CNNClassifier(max_epochs=2, random_state=0))
    fishent = Hybrid([Entropy(), FisherMask()], random_state=0)
    learner = ActiveLearner(pipeline, fishent, X[:20], y[:20])
    indices, _ = learner.query(X[20:], n_instances=9)
    assert len(set(indices)) == 9
    entropy = Entropy().select(learner, X[20:], 5).indices
    assert indices[:5].tolist() == entropy.tolist()
    learner.teach(X[20:][indices], y[20:][indices])
    others = [ActiveLearner(clone(pipeline), Random(), X[:20], y[:20]) for _ in range(2)]
    committee = Committee(others, query_strategy=Hybrid([Entropy(), BALD()]))
    assert len(set(committee.query(X[20:], n_instances=9)[0])) == 9


# -- parameters -------------------------------------------------------------------


def test_names_and_nested_parameters():
    hybrid = Hybrid([Entropy(batch_size=3), Margin(), Entropy(), ("last", Random())])
    params = hybrid.get_params()
    assert {k: params[k] for k in params if k.endswith("batch_size")} == {
        "entropy-1__batch_size": 3,
        "margin__batch_size": 256,
        "entropy-2__batch_size": 256,
    }
    assert params["last"] is hybrid.strategies[3][1]
    assert set(hybrid.get_params(deep=False)) == {"strategies", "shares", "random_state"}
    assert hybrid.set_params(**{"entropy-2__batch_size": 7, "last__random_state": 1}) is hybrid
    assert hybrid.strategies[2].batch_size == 7
    assert hybrid.strategies[3][1].random_state == 1


def test_members_are_replaced_in_a_new_list():
    members = [Entropy(), ("second", Random())]
    hybrid = Hybrid(members)
    margin = Margin()
    hybrid.set_params(entropy=LeastConfidence(), second=margin, second__batch_size=5)
    assert isinstance(hybrid.strategies[0], LeastConfidence)
    assert hybrid.strategies[1] == ("second", margin)
    assert margin.batch_size == 5
    assert isinstance(members[0], Entropy)
    hybrid.set_params(strategies=[Random()], shares=[2], random__random_state=4)
    assert hybrid.strategies[0].random_state == 4


def test_clones_share_nothing():
    hybrid = Hybrid([Entropy(batch_size=3), ("deep", Hybrid([Random()]))], shares=[1, 2])
    twin = clone(hybrid)
    assert twin.shares == [1, 2]
    twin.set_params(entropy__batch_size=9, deep__random__random_state=5)
    assert hybrid.strategies[0].batch_size == 3
    assert hybrid.get_params()["deep__random__random_state"] is None
    assert twin.get_params()["deep__random__random_state"] == 5


def test_seeds_reach_every_member_and_change_none():
    pool = range(1000)
    nested = Hybrid([Random(), Hybrid([Random(), Subsample(Random(), n=50)])], random_state=0)
    picks = [nested.select(None, pool, 12).indices.tolist() for _ in range(2)]
    assert picks[0] == picks[1]
    assert nested.strategies[0].random_state is None
    other = clone(nested).set_params(random_state=1).select(None, pool, 12).indices.tolist()
    assert other != picks[0]
    assert Hybrid([Random(), Random()]).select(None, pool, 12).indices.tolist() != picks[0]
    third = Random(random_state=3)
    own = Hybrid([third, third]).select(None, pool, 4).indices  # theirs are left to them
    assert own[:2].tolist() == third.select(None, pool, 2).indices.tolist()


@pytest.mark.parametrize(
    ("strategies", "shares", "match"),
    [
        ([], None, r"'strategies' .* a list of one strategy or more, .* Got \[\]"),
        ([Entropy], None, "'strategies' .* a list of one strategy or more"),
        ([Entropy(), "margin"], None, "'strategies' .* a list of one strategy or more"),
        ([("a", Entropy()), ("a", Margin())], None, r"different names. Got \['a', 'a'\]"),
        ([("a__b", Entropy())], None, "names without '__', none .* Got 'a__b'"),
        ([("shares", Entropy())], None, "none of them a parameter of the whole. Got 'shares'"),
        (Entropy(), None, "'strategies' parameter of Hybrid must be an instance of"),
        ([Entropy()], [1, 2], r"'shares' .* 1 numbers of at least 0, .* Got \[1, 2\]"),
        ([Entropy(), Margin()], [1, -1], "'shares' .* 2 numbers of at least 0"),
        ([Entropy(), Margin()], [0, 0], "'shares' .* not all 0"),
        ([Entropy(), Margin()], [float("nan"), 1], "'shares' .* 2 numbers"),
        ([Entropy(), Margin()], ["1", 1], "'shares' .* 2 numbers"),
        ([Entropy(), Margin()], [True, 1], r"'shares' .* 2 numbers .* Got \[True, 1\]"),
    ],
)
def test_errors(strategies, shares, match):
    with pytest.raises(ValueError, match=match):
        Hybrid(strategies, shares=shares).select(ONE, P, 3)


def test_unknown_parameters():
    match = r"'params' parameter of Hybrid.set_params must be one of \['random_state', 'shares', "
    with pytest.raises(ValueError, match=match):
        Hybrid([Entropy()]).set_params(margin__batch_size=3)
    with pytest.raises(ValueError, match="Invalid parameter 'size'"):
        Hybrid([Entropy()]).set_params(entropy__size=3)


@pytest.mark.parametrize(
    "wrong",
    [{"margin__batch_size": 3}, {"entropy": "Margin"}, {"entropy": None}, {"entropy__size": 3}],
    ids=str,
)
def test_a_mistake_replaces_nothing(wrong):
    entropy = Entropy()
    hybrid = Hybrid([entropy], shares=[1])
    with pytest.raises(ValueError, match="'params'|'strategies'|Invalid parameter"):
        hybrid.set_params(random_state=5, shares=[2], **wrong)
    assert hybrid.get_params(deep=False) == {
        "strategies": [entropy],
        "shares": [1],
        "random_state": None,
    }


# -- the rest of a pool -------------------------------------------------------------


def test_a_part_of_a_part_reads_the_pool_itself():
    pool = np.arange(20) * 10
    part = Pool.of(pool).part(np.array([3, 5, 7, 11])).part(np.array([2, 0]))
    assert part.source is pool
    assert part.positions.tolist() == [7, 3]
    assert part[:1].tolist() == [70]
    assert part[np.array([1])].tolist() == [30]
    assert len(part) == 2


def test_messages_name_the_position_in_the_whole_pool():
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 3, 6, 6)), np.arange(30) % 3
    small = {"dropout": 0.5, "width": 4}
    clf = CNNClassifier(max_epochs=1, random_state=0, module_params=small).fit(X, y)
    bad = X.copy()
    bad[20] = np.nan
    for strategy in (Entropy(batch_size=4), FisherMask(), BALD(n_passes=2, batch_size=4)):
        with pytest.raises(ValueError, match="contains NaN or infinity, first in sample 20"):
            Hybrid([Random(random_state=2), strategy]).select(clf, bad, 10)
