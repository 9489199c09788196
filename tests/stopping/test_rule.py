"""What all rules have in common."""

import pickle

import numpy as np
import pytest
from modAL.models import ActiveLearner
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import skactive as ska
from skactive import stopping
from skactive.exceptions import UnsupportedEstimatorError
from skactive.stopping import Agreement, ClassChange, OverallUncertainty, PairedChange, State

X, Y = load_digits(return_X_y=True)
RULES = [Agreement(window=1), ClassChange(), OverallUncertainty(), PairedChange(window=2)]
each_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


def fitted(n):
    return LogisticRegression(max_iter=30, tol=1.0).fit(X[:n], Y[:n])


@each_rule
def test_the_state_is_the_callers(rule):
    """Calls are pure: states of earlier rounds stay, and any of them can be gone on from."""
    rule = clone(rule)
    params, states = rule.get_params(), [None]
    for n in (30, 60, 90, 120):
        states.append(rule(fitted(n), X[500:700], Y[500:700], state=states[-1]))
        assert len(states[-1].values) == len(states[-1].seen) == len(states) - 1
        assert states[-1].values[:-1] == pytest.approx(
            states[-2].values if states[-2] else (), nan_ok=True
        )
        assert states[-1].stop in (True, False)
    assert rule.get_params() == params
    assert set(vars(rule)) == set(params)
    again = rule(fitted(120), X[500:700], Y[500:700], state=states[3])
    np.testing.assert_array_equal(again.values, states[4].values)
    np.testing.assert_array_equal(rule.judge(states[4].seen).values, states[4].values)
    stored = pickle.loads(pickle.dumps(states[3]))
    after = pickle.loads(pickle.dumps(rule))(fitted(120), X[500:700], Y[500:700], state=stored)
    np.testing.assert_array_equal(after.values, states[4].values)


@each_rule
def test_learners_and_networks(rule):
    clf = ska.CNNClassifier("linear", max_epochs=2, random_state=0)
    learner = ActiveLearner(clf, ska.Margin(), X[:40], Y[:40])
    state = rule(learner, X[500:600], Y[500:600])
    inside = rule(learner.estimator, X[500:600], Y[500:600])
    np.testing.assert_array_equal(state.values, inside.values)
    np.testing.assert_array_equal(state.seen[0], inside.seen[0])


def test_before_the_first_round():
    state = Agreement().judge([])
    assert state == State(False, (), ())


@each_rule
def test_the_samples_stay_the_same(rule):
    state = rule(fitted(30), X[500:600], Y[500:600])
    if isinstance(rule, OverallUncertainty):  # leaves a single number
        return
    match = "'X_stop' .* the 100 samples of the rounds before. Got 99 samples instead. Draw them"
    with pytest.raises(ValueError, match=match):
        rule(fitted(30), X[500:599], Y[500:599], state=state)


WRONG = [
    (Agreement(threshold=2), "'threshold' parameter of Agreement"),
    (Agreement(window=0), "'window' parameter of Agreement"),
    (ClassChange(threshold=-0.1), "'threshold' parameter of ClassChange"),
    (OverallUncertainty(threshold=-1), "'threshold' parameter of OverallUncertainty"),
    (PairedChange(level=1), "'level' parameter of PairedChange"),
    (PairedChange(window=1.5), "'window' parameter of PairedChange"),
]


@pytest.mark.parametrize(("rule", "match"), WRONG, ids=repr)
def test_parameters(rule, match):
    with pytest.raises(ValueError, match=match):
        rule(fitted(30), X[:10], Y[:10])
    with pytest.raises(ValueError, match=match):
        rule.judge([])


def test_what_is_no_classifier():
    with pytest.raises(UnsupportedEstimatorError, match="Agreement needs a fitted classifier"):
        Agreement()(object(), X)

    class Several:
        def predict(self, X):
            return np.zeros((len(X), 2))

    with pytest.raises(ValueError, match=r"predict of the Several .*\(3,\), one label.*\(3, 2\)"):
        Agreement()(Several(), X[:3])


class Predicts:
    """Predicts what it is told to."""

    def __init__(self, labels):
        self.labels = np.asarray(labels)

    def predict(self, X):
        return self.labels


@pytest.mark.parametrize("rule", [Agreement(window=1), ClassChange()], ids=repr)
def test_rounds_that_predict_labels_of_several_kinds(rule):
    state = rule(Predicts(["0", "1", "1"]), X[:3])
    match = "'estimator' .* predicts strings, as in the rounds before. Got .* numbers, such as 0"
    with pytest.raises(ValueError, match=match):
        rule(Predicts([0, 1, 1]), X[:3], state=state)
    assert not np.isnan(rule(Predicts(np.array(["0", "1", "0"], object)), X[:3], state=state).value)


def test_what_is_no_state():
    with pytest.raises(
        ValueError, match=r"'state' .* a call returned in the round before.*Got \[\]"
    ):
        Agreement()(Predicts([0, 1, 1]), X[:3], state=[])


def test_every_public_rule_is_here():
    public = {getattr(stopping, name) for name in stopping.__all__}
    rules = {kind for kind in public if hasattr(kind, "needs_labels")} - {stopping.StoppingRule}
    assert rules == {type(rule) for rule in RULES}
