"""What a user would notice too late: classes that cannot be predicted, two runs in one folder."""

import pytest

from skactive import Random
from skactive.experiments import run_experiment
from skactive.experiments._records import RecordFile
from tests.experiments.stubs import FlatSGD, digits

BUDGET = {"n_initial": 20, "n_instances": 5, "n_rounds": 1, "seeds": 1, "progress": False}


class Listed(FlatSGD):
    """A classifier with a list of classes."""

    def __init__(self, classes=None, random_state=None):
        super().__init__(random_state=random_state)
        self.classes = classes


def test_classes_that_the_estimator_is_not_told_of():
    X, y, X_test, y_test = digits()
    run_experiment(Listed(range(10)), [Random()], X, y, X_test, y_test, **BUDGET)
    with pytest.warns(UserWarning, match=r"classes=None lacks \[0, 1, .* Pass classes=\[0, 1, 2"):
        run_experiment(Listed(), [Random()], X, y, X_test, y_test, **BUDGET)
    with pytest.warns(UserWarning, match=r"lacks \[8, 9\], which it cannot predict"):
        run_experiment(Listed(range(8)), [Random()], X, y, X_test, y_test, **BUDGET)


def test_test_labels_that_the_pool_lacks():
    X, y, X_test, y_test = digits()
    with pytest.raises(ValueError, match=r"'y_test' .* Got \[7, 8, 9\] .* Remove the test images"):
        run_experiment(FlatSGD(), [Random()], X[y < 7], y[y < 7], X_test, y_test, **BUDGET)


def test_classes_given_for_instances_are_shown_as_they_were_given():
    X, y, X_test, y_test = digits()
    with pytest.raises(ValueError, match="Got {'Random': <class .* Pass instances"):
        run_experiment(FlatSGD(), [Random], X, y, X_test, y_test, **BUDGET)


def test_two_runs_do_not_write_to_one_file(tmp_path):
    pytest.importorskip("fcntl")
    X, y, X_test, y_test = digits()
    run_experiment(FlatSGD(), [Random()], X, y, X_test, y_test, **BUDGET, out=tmp_path)
    with (
        RecordFile(tmp_path / "results.jsonl"),
        pytest.raises(ValueError, match=r"results.jsonl is in use by another run. Wait until"),
    ):
        run_experiment(FlatSGD(), [Random()], X, y, X_test, y_test, **BUDGET, out=tmp_path)
    run_experiment(FlatSGD(), [Random()], X, y, X_test, y_test, **BUDGET, out=tmp_path)
