"""What breaks the contract fails the check that says so."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

from skactive import (
    BADGE,
    CNNClassifier,
    Hybrid,
    Margin,
    QueryStrategy,
    Random,
    Selection,
    Subsample,
)
from skactive.exceptions import CheckFailedError, InvalidParameterError
from skactive.selection import top_n
from skactive.testing import check_strategy

PICKS = "picks are distinct positions"
CONSTRUCTOR = "the constructor stores its parameters"
LEFT = "network, samples and generators are left as found"


class Own(QueryStrategy):
    """Chooses the brightest; each subclass does one thing wrong."""

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        utilities = np.asarray(X_pool[:]).reshape(len(X_pool), -1).mean(1, dtype=float)
        return Selection(top_n(utilities, n_instances), utilities)


def answering(answer):
    class Answers(Own):
        def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
            return answer(n_instances, len(X_pool))

    return Answers()


def firsts(n, utilities=None, gains=None):
    return Selection(np.arange(n), utilities, gains)


ANSWERS = {
    "duplicates": (lambda n, N: np.zeros(n, int), "position 0 more than once"),
    "too few": (lambda n, N: np.arange(n - 1), "Got an array of shape"),
    "a mask": (lambda n, N: np.arange(N) < n, "np.flatnonzero turns a mask"),
    "negative": (lambda n, N: -1 - np.arange(n), "Got position -1"),
    "foreign": (lambda n, N: N + np.arange(n), "Got position 12"),
    "floats": (lambda n, N: np.arange(n) / 1, "dtype float64"),
    "short utilities": (lambda n, N: firsts(n, np.ones(n)), r"utilities .* shape \(12,\)"),
    "long gains": (lambda n, N: firsts(n, None, np.ones(N)), r"gains .* shape \(1,\)"),
    "NaN gains": (lambda n, N: firsts(n, None, np.full(n, np.nan)), "Got NaN for pick 0"),
    "unscored": (lambda n, N: firsts(n, np.full(N, np.nan)), r"Picked \[0\], whose util"),
}


@pytest.mark.parametrize(("answer", "found"), ANSWERS.values(), ids=ANSWERS)
def test_wrong_answers(answer, found):
    with pytest.raises(CheckFailedError, match=f"Answers fails the check that {PICKS}.*{found}"):
        check_strategy(answering(answer))


class Plain(nn.Module):
    """Dropout alone tells the modes apart."""

    def __init__(self, in_channels=3, num_classes=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(192, num_classes))

    def forward(self, x):
        return self.layers(x)


def network_of(estimator):
    return getattr(estimator, "estimator", estimator).module_


def inputs_of(X):
    return torch.as_tensor(np.asarray(X[:]), dtype=torch.float32) / 255


class ChangesParameter(Own):
    def __init__(self, *, n=3.0, random_state=None):
        super().__init__(random_state=random_state)
        self.n = int(n) + 1


class StoresMore(Own):
    def __init__(self, *, random_state=None):
        super().__init__(random_state=random_state)
        self.seen = []


class Seedless(QueryStrategy):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return np.arange(n_instances)


class TakesAnyNumber(Own):
    def select(self, estimator, X_pool, n_instances=1, **labelled):
        return super().select(estimator, X_pool, min(n_instances, len(X_pool)), **labelled)


class Distinct(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        rows = np.asarray(X_pool[:]).reshape(len(X_pool), -1)
        return np.unique(rows, axis=0, return_index=True)[1][:n_instances]


class Global(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        state = np.random.get_state()
        found = np.random.permutation(len(X_pool))[:n_instances]
        np.random.set_state(state)
        return found


class Fresh(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return np.random.default_rng().permutation(len(X_pool))[:n_instances]


class Remembers(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        self.calls = getattr(self, "calls", 0) + 1
        return (np.arange(n_instances) + self.calls) % len(X_pool)


class Notes(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        self.last_ = len(X_pool)
        return np.arange(n_instances)


class Seeds(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        torch.manual_seed(self.random_state or 0)
        return torch.randperm(len(X_pool))[:n_instances]


class Evaluates(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        network_of(estimator).eval()
        return np.arange(n_instances)


class Differentiates(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        network_of(estimator)(inputs_of(X_pool)).sum().backward()
        return np.arange(n_instances)


class Trains(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        with torch.no_grad():
            next(network_of(estimator).parameters()).mul_(1.5)
        return np.arange(n_instances)


class Scales(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        np.asarray(X_pool[:])[...] = 0
        return np.arange(n_instances)


class Unfrozen(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            utilities = network_of(estimator)(inputs_of(X_pool)).amax(1).double().numpy()
        return Selection(top_n(utilities, n_instances), utilities)


class NeedsArray(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return np.argsort(-X_pool.mean(axis=(1, 2, 3)))[:n_instances]


class Late(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        utilities = np.arange(len(X_pool), dtype=float)
        return Selection(top_n(utilities, n_instances), utilities)


class NoLearner(Own):
    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        _ = estimator.module_
        return np.arange(n_instances)


WRONG = {
    ChangesParameter: (CONSTRUCTOR, "either does not set or modifies parameter n"),
    StoresMore: (CONSTRUCTOR, r"also stores \['seen'\]"),
    Seedless: (CONSTRUCTOR, r"The parameters are \[\]"),
    TakesAnyNumber: ("more samples than there are", "n_instances=13 of a pool of 12 was accepted"),
    Distinct: ("identical samples are different", "must return 9 distinct positions"),
    Global: ("the same random_state", r"in another state, it picked: \["),
    Fresh: ("the same random_state", r"it picked: \["),
    Remembers: ("the same random_state|nothing is remembered", r"it picked: \["),
    Notes: ("nothing is remembered", r"changed its attributes \['last_'\]"),
    Seeds: (LEFT, "changed the generator of torch"),
    Evaluates: (LEFT, "changed the modules' training modes"),
    Differentiates: (LEFT, "changed .*the parameters' gradients"),
    Trains: (LEFT, "changed the network's weights"),
    Scales: (LEFT, "wrote into X_pool"),
    Unfrozen: ("mode that the network was left in", r"in train mode, it picked: \["),
    NeedsArray: ("a part of a pool is a pool", "AttributeError"),
    Late: ("utilities belong to samples", "The utilities were"),
    NoLearner: ("modAL's ActiveLearner.query", "AttributeError"),
}


@pytest.mark.parametrize("cls", WRONG, ids=lambda cls: cls.__name__)
def test_each_fault_fails_its_check(cls):
    check, found = WRONG[cls]
    estimator = CNNClassifier(Plain, max_epochs=1, random_state=0)
    with pytest.raises(CheckFailedError, match=rf"{cls.__name__} fails .*({check}).*({found})"):
        check_strategy(cls(), estimator=estimator)


@pytest.mark.parametrize("strategy", [Own(), Random(), Hybrid([Own(), Margin()]), Subsample(Own())])
def test_what_is_right_passes(strategy):
    before = strategy.get_params(deep=False)
    check_strategy(strategy)
    assert strategy.get_params(deep=False) == before


def test_other_samples_and_estimators():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 2
    check_strategy(Margin(), estimator=LogisticRegression(), X=X, y=y)
    with pytest.raises(CheckFailedError, match=r"needs a torch network"):
        check_strategy(BADGE(), estimator=RandomForestClassifier(5), X=X, y=y)


@pytest.mark.parametrize("strategy", [Own, lambda learner, X, n: np.arange(n), None])
def test_what_is_no_strategy(strategy):
    with pytest.raises(InvalidParameterError, match="'strategy' parameter of check_strategy"):
        check_strategy(strategy)
    with pytest.raises(InvalidParameterError, match="'y' parameter of check_strategy"):
        check_strategy(Own(), X=np.zeros((20, 3)))


def test_the_error_is_an_assertion_error_of_three_parts():
    error = pickle.loads(pickle.dumps(CheckFailedError("Own", "it rains", "It was dry.")))
    assert isinstance(error, AssertionError)
    assert (error.owner, error.check, error.found) == ("Own", "it rains", "It was dry.")
    assert str(error) == "Own fails the check that it rains. It was dry."


def test_ctrl_c_comes_out():
    class Stopped(Own):
        def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_strategy(Stopped())


@pytest.mark.slow
def test_pytest_is_not_needed():
    code = """
import sys
sys.modules["pytest"] = None
from skactive import Margin, testing
testing.check_strategy(Margin())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
