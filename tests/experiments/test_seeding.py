"""The experiment's seeds reach what is in lists, and what a strategy makes inside itself."""

import numpy as np
import pandas as pd
import pytest
from modAL.models import ActiveLearner, Committee
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import CNNClassifier, Margin, QueryStrategy, Random
from skactive._parts import parts, unnamed_parts
from skactive._rng import seed_sequence, seeds_where_none
from skactive._validation import InvalidParameterError
from skactive.experiments import Protocol, run_experiment
from skactive.experiments._seeding import seeded_clone
from tests.experiments.stubs import FlatSGD, Shuffled, digits, numbers


def learner(estimator=None):
    return ActiveLearner(estimator or FlatSGD(), query_strategy=Margin())


def network(**settings):
    return CNNClassifier(classes=range(10), max_epochs=1, module_params={"width": 2}, **settings)


def run(estimator, strategies=None, **changes):
    settings = {"n_initial": 20, "n_instances": 10, "n_rounds": 1, "seeds": 2, "progress": False}
    data = digits()
    return run_experiment(
        estimator,
        strategies or [Shuffled()],
        *data,
        initial="balanced",
        **settings | changes,
    )


class Nested(ClassifierMixin, BaseEstimator):
    """Members in a dict of lists."""

    def __init__(self, members):
        self.members = members

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        for member in self._all():
            member.fit(X, y)
        return self

    def _all(self):
        return [member for several in self.members.values() for member in several]

    def predict_proba(self, X):
        return np.mean([member.predict_proba(X) for member in self._all()], axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Listed(FlatSGD):
    """A classifier with a list of classes."""

    def __init__(self, classes=None, random_state=None):
        super().__init__(random_state=random_state)
        self.classes = classes


ENSEMBLES = {
    "Committee": lambda: Committee([learner(), learner()]),
    "Voting in Committee": lambda: Committee(
        [learner(VotingClassifier([("a", FlatSGD()), ("b", FlatSGD())], voting="soft"))]
    ),
    "Pipelines in Committee": lambda: Committee(
        [learner(make_pipeline(FunctionTransformer(), FlatSGD())) for _ in "ab"]
    ),
    "dict of lists": lambda: Nested({"a": [FlatSGD()], "b": [FlatSGD(), FlatSGD()]}),
    "Committee in Pipeline": lambda: make_pipeline(
        FunctionTransformer(), Committee([learner(), learner()])
    ),
}


@pytest.mark.parametrize("make", ENSEMBLES.values(), ids=ENSEMBLES)
def test_every_member_has_a_seed_of_its_own(make):
    def seeds(seed):
        return [
            part.random_state
            for part in parts(seeded_clone(make(), seed))
            if isinstance(part, FlatSGD)
        ]

    first = seeds(0)
    assert all(isinstance(seed, int) for seed in first)
    assert len(set(first)) == len(first) >= 2
    assert seeds(0) == first
    assert set(seeds(1)).isdisjoint(first)


@pytest.mark.parametrize("name", [name for name in ENSEMBLES if name != "Committee in Pipeline"])
def test_the_numbers_are_those_of_the_seed(name):
    estimator = ENSEMBLES[name]()
    first = numbers(run(estimator))
    pd.testing.assert_frame_equal(numbers(run(estimator)), first, check_exact=True)
    assert first.groupby("round")["log_loss"].nunique().tolist() == [2, 2]  # the seeds differ


def test_what_parameters_name_keeps_the_seeds_it_had():
    voting = VotingClassifier([("a", SGDClassifier()), ("b", SGDClassifier())])
    assert unnamed_parts(voting) == []
    assert unnamed_parts(make_pipeline(FunctionTransformer(), voting)) == []
    committee = Committee([learner()])
    places = [place for place, _ in unnamed_parts(committee)]
    assert places == [
        "learner_list[0]",
        "learner_list[0].estimator",
        "learner_list[0].query_strategy",
    ]


class Inside(QueryStrategy):
    """Makes a network and a strategy inside itself, without seeds."""

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        fitted = network().fit(X_labelled, y_labelled)
        half = Random().select(fitted, X_pool, len(X_pool) // 2).indices
        return half[Margin().select(fitted, X_pool[half], n_instances).indices]


def test_what_a_strategy_makes_inside_itself_is_seeded():
    first = run(FlatSGD(), {"a": Inside(), "b": Inside()}).frame
    again = run(FlatSGD(), {"a": Inside()}).frame
    queried = {key: rows["queried"].tolist() for key, rows in first.groupby(["strategy", "seed"])}
    assert queried["a", 0] == queried["b", 0] == again[again["seed"] == 0]["queried"].tolist()
    assert queried["a", 0] != queried["a", 1]


def test_none_is_itself_again_afterwards():
    with seeds_where_none(3):
        one, other = seed_sequence(None), seed_sequence(None)
        assert seed_sequence(5).entropy == 5
    with seeds_where_none(3):
        again = seed_sequence(None)
    state = one.generate_state(4).tolist()
    assert state == again.generate_state(4).tolist() != other.generate_state(4).tolist()
    assert seed_sequence(None).entropy != seed_sequence(None).entropy


def test_a_learner_with_data_of_its_own_is_refused():
    X, y, *_ = digits()
    taught = ActiveLearner(FlatSGD(), X_training=X[:20], y_training=y[:20])
    for estimator in [taught, Committee([taught])]:
        message = r"'estimator' .* without training data of its own\. Got \w+ with X_training inst"
        with pytest.raises(InvalidParameterError, match=message):
            run(estimator)


def test_a_learner_is_what_its_estimator_is():
    alone, inside = (numbers(run(e, n_rounds=0)) for e in (FlatSGD(), learner()))
    pd.testing.assert_frame_equal(alone, inside)


def test_protocol_and_the_warning_of_classes_reach_into_lists():
    committee = Committee([learner(network()), learner(network())])
    changed = Protocol(augment="flip").apply(seeded_clone(committee, 0))
    assert [member.estimator.augment for member in changed.learner_list] == ["flip", "flip"]
    listed = Committee([learner(Listed(range(10))), learner(Listed(range(8)))])
    message = r"learner_list\[1\]\.estimator\.classes=range\(0, 8\) lacks \[8, 9\].* Pass classes="
    with pytest.warns(UserWarning, match=message):
        run(listed, n_rounds=0, seeds=1)
