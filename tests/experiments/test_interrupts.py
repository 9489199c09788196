"""Ctrl-C in an experiment, with estimators that swallow it."""

import os
import signal
import threading
from contextlib import suppress

import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping

from skactive import Random
from skactive._interrupts import interrupts_come_out
from skactive.experiments import Results, run_experiment
from tests.experiments.stubs import FlatSGD, Shuffled, digits

CALLS = {"now": 0, "at": 0, "signal": signal.SIGINT}


class Interrupted(torch.nn.Sequential):
    """A network at whose n-th pass the user presses Ctrl-C."""

    def __init__(self):
        layers = [torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Softmax(dim=1)]
        super().__init__(*layers)

    def forward(self, X):
        CALLS["now"] += 1
        if CALLS["now"] == CALLS["at"]:
            signal.raise_signal(CALLS["signal"])
        return super().forward(X)


def net(**settings):
    return NeuralNetClassifier(
        Interrupted, max_epochs=3, verbose=0, train_split=None, classes=list(range(10)), **settings
    )


def learner(estimator):
    return ActiveLearner(estimator, query_strategy=Random())


def press_at(monkeypatch, at, number=signal.SIGINT):
    for name, value in {"now": 0, "at": at, "signal": number}.items():
        monkeypatch.setitem(CALLS, name, value)


def run(estimator, out=None, strategies=None, **changes):
    budget = {"n_initial": 20, "n_instances": 10, "n_rounds": 2, "seeds": 1, "progress": False}
    data = digits()
    return run_experiment(
        estimator,
        strategies or [Shuffled()],
        *data,
        **budget | changes,
        initial="balanced",
        out=out,
    )


@pytest.mark.parametrize(
    "estimator",
    [
        net(),
        make_pipeline(FunctionTransformer(), net()),
        GridSearchCV(net(), {"lr": [0.1, 0.01]}, cv=2),
        VotingClassifier([("a", net()), ("b", net())], voting="soft"),
        learner(make_pipeline(FunctionTransformer(), net())),
        Committee([learner(net()), learner(net())]),
    ],
    ids=["net", "Pipeline", "search", "VotingClassifier", "ActiveLearner", "Committee"],
)
def test_ctrl_c_comes_out_of_plain_skorch_nets_and_the_cut_round_is_not_kept(
    estimator, tmp_path, monkeypatch
):
    """skorch's `partial_fit` ends training on a KeyboardInterrupt, and returns."""
    before = signal.getsignal(signal.SIGINT)
    press_at(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(estimator, tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == b""
    assert signal.getsignal(signal.SIGINT) is before
    # Then the same call goes on, with the numbers of one that was never interrupted.
    press_at(monkeypatch, 0)
    continued = run(estimator, tmp_path).frame
    assert continued["log_loss"].tolist() == run(estimator).frame["log_loss"].tolist()


def test_finished_rounds_are_kept(tmp_path, monkeypatch):
    press_at(monkeypatch, 0)
    run(net(), n_rounds=0)
    press_at(monkeypatch, CALLS["now"] + 2)  # in round 1
    with pytest.raises(KeyboardInterrupt):
        run(net(), tmp_path)
    assert Results.load(tmp_path).frame["round"].tolist() == [0]


class Retrains(Shuffled):
    """A strategy that trains a network of its own, which is interrupted."""

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        CALLS["at"] = CALLS["now"] + 1
        net().fit(X_labelled, y_labelled)
        return super().select(estimator, X_pool, n_instances)


def test_ctrl_c_comes_out_of_a_strategy_too(tmp_path, monkeypatch):
    press_at(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        run(FlatSGD(), tmp_path, {"retrains": Retrains()})
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_other_signals_that_raise_keyboard_interrupt_come_out_too(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        press_at(monkeypatch, 2, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            run(net(), tmp_path)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_whose_handler_raises_nothing_stops_nothing(monkeypatch):
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        press_at(monkeypatch, 2)
        assert len(run(net()).frame) == 3
        assert came == [1]
    finally:
        signal.signal(signal.SIGINT, before)


class Stops(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt  # as skorch's own callbacks do


@pytest.mark.parametrize(
    "callback", [Stops(), EarlyStopping("train_loss", patience=1, threshold=9)]
)
def test_callbacks_still_stop_training(callback, monkeypatch):
    press_at(monkeypatch, 0)
    assert len(run(net(callbacks=[callback])).frame) == 3


def swallow_and_fail():
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    raise ValueError("of a network that is not there")


def test_what_fails_after_a_swallowed_ctrl_c_is_a_ctrl_c():
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_come_out():
        swallow_and_fail()
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="another"), interrupts_come_out():
        raise ValueError("another")


def test_outside_of_the_main_thread_nothing_is_watched():
    handlers = []

    def work():
        with interrupts_come_out():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]


@pytest.mark.slow
def test_ctrl_c_comes_out_of_processes(tmp_path, monkeypatch):
    class Presses(FlatSGD):
        def fit(self, X, y):
            try:
                os.kill(os.getppid(), signal.SIGINT)  # to the process that waits for this round
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                pass
            return super().fit(X, y)

    with pytest.raises(KeyboardInterrupt):
        run(Presses(), tmp_path, n_jobs=2, seeds=2)
    assert (tmp_path / "results.jsonl").read_bytes() == b""
