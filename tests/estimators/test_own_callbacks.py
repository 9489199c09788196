"""Callbacks are the user's own objects, also where they cannot be copied.

"cannot pickle '_thread.lock'", and a logger that nothing reaches: skorch#818, skorch#701.
"""

import copy
import pickle
import threading

import numpy as np
import pytest
from modAL.models import ActiveLearner, Committee
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    LRScheduler,
    PrintLog,
)
from torch import nn

from skactive import CNNClassifier, Entropy, LPLClassifier
from skactive.exceptions import InvalidParameterError
from skactive.experiments import run_experiment

X = np.random.default_rng(0).normal(size=(30, 5))
Y = np.arange(30) % 3
BOTH = pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])


class Writer:
    """Like TensorBoard's: has a lock, and cannot be copied or pickled."""

    def __init__(self):
        self.lock = threading.Lock()
        self.events = []

    def add_scalar(self, value):
        with self.lock:
            self.events.append(value)

    def __repr__(self):
        return "Writer()"


class Logger(Callback):
    def __init__(self, writer):
        self.writer = writer

    def on_epoch_end(self, net, **kwargs):
        self.writer.add_scalar(net.history[-1, "train_loss"])


class NotToBeCopied(Logger):
    def __copy__(self):
        raise RuntimeError("there is one of me")

    def __deepcopy__(self, memo):
        raise RuntimeError("there is one of me")


def make(kind=CNNClassifier, **params):
    return kind(**{"max_epochs": 2, "random_state": 0, "device": "cpu", **params})


def test_the_writer_cannot_be_copied():
    with pytest.raises(TypeError):
        copy.deepcopy(Logger(Writer()))


@BOTH
@pytest.mark.parametrize("logger", [Logger, NotToBeCopied])
@pytest.mark.parametrize("pair", [False, True])
def test_the_users_object_is_used(kind, logger, pair):
    own = logger(Writer())
    clf = make(kind, callbacks=[("log", own)] if pair else [own]).fit(X, Y)
    assert dict(clf.net_.callbacks_)["log" if pair else logger.__name__] is own
    assert own.writer.events == clf.history_[:, "train_loss"]
    clf.partial_fit(X, Y)
    assert own.writer.events == clf.history_[:, "train_loss"]
    clf.set_params(warm_start=True).fit(X, Y)
    assert own.writer.events == clf.history_[:, "train_loss"]


@pytest.mark.parametrize("logger", [Logger, NotToBeCopied])
def test_clones_write_to_the_same(logger):
    own = logger(Writer())
    cloned = clone(make(callbacks=[own]))
    assert cloned.callbacks[0].writer is own.writer
    assert (cloned.callbacks[0] is own) is (logger is NotToBeCopied)
    cloned.fit(X, Y)
    assert own.writer.events == cloned.history_[:, "train_loss"]


def test_in_a_grid_search_over_a_pipeline():
    own = Logger(Writer())
    pipeline = make_pipeline(StandardScaler(), make(callbacks=[own]))
    search = GridSearchCV(
        pipeline, {"cnnclassifier__lr": [0.1, 0.01]}, cv=2, error_score="raise"
    ).fit(X, Y)
    assert len(own.writer.events) == 2 * (2 * 2 + 1)
    last = search.best_estimator_[-1].history_
    assert own.writer.events[-2:] == last[:, "train_loss"]


def test_in_learners():
    own = Logger(Writer())
    learners = [ActiveLearner(make(callbacks=[own]), Entropy(), X, Y) for _ in range(2)]
    Committee(learners, Entropy()).teach(X, Y)
    assert len(own.writer.events) == 2 * 2 * 2


def test_in_experiments():
    own = Logger(Writer())
    estimator = make(callbacks=[own], classes=range(3))
    sizes = {"n_initial": 6, "n_instances": 3, "n_rounds": 1}
    run_experiment(estimator, {"e": Entropy()}, X, Y, X_test=X, y_test=Y, seeds=1, **sizes)
    assert len(own.writer.events) == 2 * 2


# -- parameters -------------------------------------------------------------------


def test_parameters():
    stop, log = EarlyStopping(patience=3), Logger(Writer())
    clf = make(callbacks=[stop, ("log", log), PrintLog])
    params = clf.get_params()
    assert params["callbacks__EarlyStopping"] is stop
    assert params["callbacks__EarlyStopping__patience"] == 3
    assert params["callbacks__log__writer"] is log.writer
    assert params["callbacks__PrintLog"] is PrintLog
    clf.set_params(
        callbacks__EarlyStopping__patience=7,
        callbacks__log=None,
        callbacks__PrintLog__sink=len,
        max_epochs=1,
    )
    assert stop.patience == 7
    assert [type(c) for c in clf.callbacks] == [EarlyStopping, PrintLog]
    assert clf.callbacks[1].sink is len
    clf.set_params(callbacks=[("log", log)], callbacks__log__writer=Writer())
    assert [c.writer.events for _, c in clf.callbacks] == [[]]
    assert clone(clf).set_params(**clf.get_params()).callbacks[0][1] is log


def test_names_are_those_of_skorch():
    own = [Logger(Writer()), Logger(Writer()), ("b", Logger(Writer())), Freezer("hidden*")]
    clf = make(callbacks=own).fit(X, Y)
    names = [name for name in clf.get_params() if name.startswith("callbacks__")]
    names = [name.split("__")[1] for name in names if name.count("__") == 1]
    assert names == ["Logger_1", "Logger_2", "b", "Freezer"]
    assert set(names) <= set(dict(clf.net_.callbacks_))


@BOTH
def test_a_grid_of_patience_leaves_the_users_object(kind):
    stop = EarlyStopping("train_loss", patience=2, threshold=0.5)
    clf = make(kind, max_epochs=9, callbacks=[stop])
    grid = {"callbacks__EarlyStopping__patience": [1, 4]}
    search = GridSearchCV(clf, grid, cv=2, refit=False, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 2
    assert stop.patience == 2
    short, long = (
        clone(clf).set_params(callbacks__EarlyStopping__patience=n).fit(X, Y) for n in (1, 4)
    )
    assert len(short.history_) < len(long.history_)


def test_a_clone_of_a_callback_that_keeps_its_own_method():
    """ParamMapper keeps `self._default_schedule`, which reads the `at` of its own."""
    clf = make(callbacks=[Freezer("hidden*")]).fit(X, Y)
    later = clone(clf).set_params(callbacks__Freezer__at=9).fit(X, Y)
    assert all(p.requires_grad for p in later.module_.parameters())
    assert not all(p.requires_grad for p in clf.fit(X, Y).module_.parameters())


# -- state ------------------------------------------------------------------------


@BOTH
def test_fits_do_not_see_the_one_before(kind):
    own = [EarlyStopping("train_loss", patience=2, threshold=0.3), EpochScoring("accuracy")]
    clf = make(kind, callbacks=own, max_epochs=8, train_split=0.3)
    first = clf.fit(X, Y).history_[:, "train_loss"]
    assert clf.fit(X, Y).history_[:, "train_loss"] == first
    assert clone(clf).fit(X, Y).history_[:, "train_loss"] == first


def test_fits_at_once_have_states_of_their_own():
    own = EarlyStopping("train_loss", patience=2)
    a, b = (clone(make(callbacks=[own])) for _ in range(2))
    assert len({id(own), id(a.callbacks[0]), id(b.callbacks[0])}) == 3


@BOTH
def test_pickling(kind):
    clf = make(kind, callbacks=[EarlyStopping("train_loss"), Freezer("hidden*")]).fit(X, Y)
    back = pickle.loads(pickle.dumps(clf))
    assert back.callbacks[0] is dict(back.net_.callbacks_)["EarlyStopping"]
    assert (back.predict(X) == clf.predict(X)).all()
    back.partial_fit(X, Y)
    assert len(back.history_) == len(clf.history_) + 1


def test_a_module_held_by_a_callback_is_not_copied():
    class Teacher(Callback):
        def __init__(self, module):
            self.module = module

    own = Teacher(nn.Linear(5, 3))
    assert clone(make(callbacks=[own])).callbacks[0].module is own.module


# -- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callbacks", "got"),
    [
        ([("a", Logger(Writer())), ("a", Logger(Writer()))], "a"),
        ([("valid_acc", Logger(Writer()))], "valid_acc"),
        ([("record_accuracy", Logger(Writer()))], "record_accuracy"),
    ],
)
def test_names_that_are_taken(callbacks, got):
    with pytest.raises(InvalidParameterError, match="names differ") as caught:
        make(callbacks=callbacks).fit(X, Y)
    assert (caught.value.parameter, caught.value.got) == ("callbacks", got)


@pytest.mark.parametrize("wrong", [["x"], [3], [(1, PrintLog())], [("a", "b")], [(1, 2, 3)]])
def test_what_is_no_callback(wrong):
    clf = make(callbacks=wrong)
    clone(clf).get_params()
    with pytest.raises(InvalidParameterError, match="a list of skorch callbacks"):
        clf.fit(X, Y)


def test_parameters_of_callbacks_that_are_not_there():
    with pytest.raises(InvalidParameterError, match="'PrintLog', 'log'"):
        make(callbacks=[PrintLog(), ("log", PrintLog())]).set_params(callbacks__Print__sink=len)
    with pytest.raises(InvalidParameterError, match="there are none"):
        make().set_params(callbacks__PrintLog=None)
    with pytest.raises(ValueError, match="Invalid parameter 'snk'"):
        make(callbacks=[PrintLog()]).set_params(callbacks__PrintLog__snk=len)


@BOTH
@pytest.mark.parametrize(
    ("callback", "watched", "remedy"),
    [
        (EarlyStopping(), "valid_loss", "Pass train_split=0.2"),
        (EarlyStopping("val_loss"), "val_loss", "Recorded are train_loss"),
        (LRScheduler("ReduceLROnPlateau", monitor="valid_loss"), "valid_loss", "Pass train_split"),
        (Checkpoint(), "valid_loss_best", "Pass train_split=0.2"),
    ],
    ids=["EarlyStopping", "a typing error", "LRScheduler", "Checkpoint"],
)
def test_callbacks_that_watch_what_is_not_recorded(kind, callback, watched, remedy, tmp_path):
    if isinstance(callback, Checkpoint):
        callback = Checkpoint(dirname=tmp_path)
    clf = make(kind, callbacks=[callback], lr_schedule=None)
    message = f"'callbacks' .* watches '{watched}' instead. {remedy}"
    for fit in (clf.fit, clf.partial_fit):
        with pytest.raises(InvalidParameterError, match=message):
            fit(X, Y)
