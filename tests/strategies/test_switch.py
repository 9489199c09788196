"""Switch: which strategy answers depends on the number of labels alone."""

import numpy as np
import pytest
from modAL.models import ActiveLearner
from sklearn.base import clone

from skactive import CNNClassifier, Entropy, Margin, Random, Switch
from tests.strategies.stubs import Fixed, distributions

P = distributions(40, 1)
FIRST = Random(random_state=0)


@pytest.mark.parametrize(
    ("n_labelled", "expected"),
    [
        (None, FIRST),
        (0, FIRST),
        (9, FIRST),
        (10, Entropy()),
        (19, Entropy()),
        (20, Margin()),
        (500, Margin()),
    ],
)
def test_phases(n_labelled, expected):
    switch = Switch([(FIRST, 10), (Entropy(), 20), (Margin(), None)])
    X = None if n_labelled is None else np.zeros((n_labelled, 1, 3))
    y = None if n_labelled is None else np.zeros(n_labelled)
    found = switch.select(Fixed(), P, 5, X_labelled=X, y_labelled=y)
    wanted = expected.select(Fixed(), P, 5)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.utilities, wanted.utilities)
    only_y = switch.select(Fixed(), P, 5, y_labelled=y)
    np.testing.assert_array_equal(only_y.indices, wanted.indices)


def test_a_cold_start_in_modal():
    X, y = np.random.default_rng(0).random((60, 6)), np.arange(60) % 3
    switch = Switch([(Random(), 12), (Margin(), None)], random_state=0)
    learner = ActiveLearner(CNNClassifier(classes=range(3), max_epochs=2, random_state=0), switch)
    first, samples = learner.query(X, n_instances=12)  # not fitted yet
    again, _ = learner.query(X, n_instances=12)
    np.testing.assert_array_equal(first, again)
    learner.teach(samples, y[first])
    second, _ = learner.query(X, n_instances=5)
    np.testing.assert_array_equal(second, Margin().select(learner, X, 5).indices)


def test_names_and_parameters():
    switch = Switch([("cold", Random(), 10), (Margin(), 20), (Margin(), None)])
    switch.set_params(**{"margin-2__batch_size": 5, "cold": Random(random_state=7)})
    assert switch.phases[2][0].batch_size == 5
    assert switch.phases[0][0] == "cold"
    assert switch.phases[0][1].random_state == 7
    assert switch.phases[0][2] == 10
    twin = clone(switch)
    assert twin.phases[1][0] is not switch.phases[1][0]
    assert [phase[-1] for phase in twin.phases] == [10, 20, None]


@pytest.mark.parametrize(
    ("phases", "match"),
    [
        ([], "'phases' parameter of Switch must be a list of pairs"),
        ([Random()], "'phases' .* a list of pairs"),
        ([(Random(),)], "'phases' .* a list of pairs"),
        ([("random", 10)], "'phases' .* a list of pairs"),
        ([(Random(), 10)], r"increasing ints .* and None at last. Got \[10\] instead. End with"),
        ([(Random(), 10), (Margin(), 10), (Entropy(), None)], "increasing ints"),
        ([(Random(), 0), (Margin(), None)], "increasing ints of at least 1"),
        ([(Random(), None), (Margin(), None)], "increasing ints"),
        ([(Random(), 1.5), (Margin(), None)], "increasing ints"),
        ([(Random(), True), (Margin(), None)], "increasing ints"),
        ([("a", Random(), 5), ("a", Margin(), None)], r"different names. Got \['a', 'a'\]"),
    ],
)
def test_errors(phases, match):
    with pytest.raises(ValueError, match=match):
        Switch(phases).select(Fixed(), P, 3)
