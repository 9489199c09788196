"""Protocols: what they set, and what comes of it."""

import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier

from skactive import CNNClassifier
from skactive._validation import InvalidParameterError
from skactive.experiments import Protocol, run_experiment
from tests.experiments.stubs import FlatSGD, Shuffled, digits, numbers

BUDGET = {"n_initial": 30, "n_instances": 20, "n_rounds": 2, "seeds": 1, "progress": False}


class Watched(Shuffled):
    """Notes what it is given."""

    seen: ClassVar[list] = []

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        self.seen.append((estimator, len(X_labelled)))
        return super().select(estimator, X_pool, n_instances)


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr(Watched, "seen", [])
    return Watched.seen


def network(**settings):
    params = {"max_epochs": 3, "module_params": {"width": 4}} | settings
    return CNNClassifier("small_cnn", classes=range(10), **params)


def run(protocol=None, estimator=None, strategy=None, **changes):
    return run_experiment(
        estimator or network(),
        [strategy or Watched()],
        *digits(),
        **(BUDGET | changes),
        protocol=protocol,
    )


def test_by_default_each_round_starts_from_scratch(seen):
    estimator = network()
    pd.testing.assert_frame_equal(
        numbers(run(None, estimator)), numbers(run(Protocol(), estimator))
    )
    assert [len(fitted.history_) for fitted, _ in seen] == [3] * 4
    assert estimator.callbacks is None


def test_a_warm_start_goes_on_from_the_weights_of_the_round_before(seen):
    estimator = network()
    warm = run(Protocol(warm_start=True), estimator)
    (fitted, _), (again, _) = seen
    assert fitted is again
    assert len(again.history_) == 3 * 3  # the last round went on, too
    assert estimator.warm_start is False
    cold = run(None)
    first = [frame[frame["round"] == 0] for frame in (numbers(warm), numbers(cold))]
    pd.testing.assert_frame_equal(*first)
    assert (warm.frame["log_loss"] != cold.frame["log_loss"]).tolist() == [False, True, True]


def test_a_warm_start_continues_with_the_same_numbers(tmp_path):
    settings = {"protocol": Protocol(warm_start=True), "strategy": Shuffled()}
    whole = numbers(run(**settings))
    run(**settings, out=tmp_path)
    lines = (tmp_path / "results.jsonl").read_bytes().splitlines(keepends=True)
    for kept in (1, 2):
        (tmp_path / "results.jsonl").write_bytes(b"".join(lines[:kept]))
        continued = run(**settings, out=tmp_path)
        pd.testing.assert_frame_equal(numbers(continued), whole, check_exact=True)


def test_training_to_an_accuracy_stops_there(seen):
    run(Protocol(train_to=0.6), network(max_epochs=60, batch_size=8))
    for fitted, _ in seen:
        accuracy = np.array(fitted.history_[:, "train_acc"])
        assert len(accuracy) < 60
        assert accuracy[-1] >= 0.6
        assert (accuracy[:-1] < 0.6).all()


def test_a_validation_share_counts_as_labels(seen):
    frame = run(Protocol(validation=0.2)).frame
    assert frame["n_labelled"].tolist() == [30, 50, 70]
    assert [n for _, n in seen] == [30, 50]  # the strategy sees them all
    assert [
        sum(b["valid_batch_size"] for b in f.history_[0, "batches", :] if "valid_batch_size" in b)
        for f, _ in seen
    ] == [6, 10]


def test_early_stopping_takes_the_best_epoch(seen):
    run(Protocol(validation=0.3, patience=2), network(max_epochs=60, lr=0.3, batch_size=8))
    for fitted, _ in seen:
        losses = fitted.history_[:, "valid_loss"]
        assert len(losses) < 60
        assert len(losses) == np.argmin(losses) + 1 + 2


def test_strong_augmentation_is_for_training_only(seen):
    plain = run(None).frame
    strong = run(Protocol(augment="strong")).frame
    assert seen[-1][0].augment == "strong"
    assert strong["log_loss"].ne(plain["log_loss"]).all()


def test_callbacks_of_the_estimator_are_kept(seen):
    from skactive.estimators import StopAtTrainAccuracy

    estimator = network(callbacks=[StopAtTrainAccuracy(0.2)], max_epochs=40)
    run(Protocol(train_to=1.0), estimator)
    assert [type(c).__name__ for c in seen[0][0].callbacks] == ["StopAtTrainAccuracy", "StopAt"]
    assert len(seen[0][0].history_) < 40
    assert len(estimator.callbacks) == 1


def test_inside_a_pipeline(seen):
    pipeline = make_pipeline(FunctionTransformer(), network())
    run(Protocol(validation=0.2, warm_start=True, train_to=0.9), pipeline)
    inner = seen[0][0][-1]
    assert inner.train_split == 0.2
    assert inner.warm_start is True
    assert len(inner.callbacks) == 1


def test_every_network_of_an_ensemble_is_reached():
    members = [("one", network()), ("other", make_pipeline(FunctionTransformer(), network()))]
    ensemble = VotingClassifier([*members, ("rows", FlatSGD())], voting="soft")
    protocol = Protocol(validation=0.2, patience=3, train_to=0.9, augment="strong")
    for whole, prefix in [(ensemble, ""), (GridSearchCV(ensemble, {}), "estimator__")]:
        params = protocol.apply(clone(whole)).get_params()
        for place in ["one", "other__cnnclassifier"]:
            found = {
                name: params[f"{prefix}{place}__{name}"] for name in ["train_split", "augment"]
            }
            assert found == {"train_split": 0.2, "augment": "strong"}
            callbacks = params[f"{prefix}{place}__callbacks"]
            assert [type(c).__name__ for c in callbacks] == ["StopAt", "EarlyStopping"]
    assert network().callbacks is None
    one, other = (protocol.apply(network()).callbacks for _ in range(2))
    assert not {id(callback) for callback in one} & {id(callback) for callback in other}


@pytest.mark.parametrize(
    "estimator",
    [
        VotingClassifier([("one", network()), ("other", network())]),
        GridSearchCV(network(), {"lr": [0.1]}),
        BaggingClassifier(network()),
        make_pipeline(FunctionTransformer(), BaggingClassifier(network())),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_trains_clones_cannot_go_on(estimator):
    kind = type(estimator[-1] if hasattr(estimator, "steps") else estimator).__name__
    message = rf"sets 'warm_start', but estimator={kind} trains clones .* Use the network itself or"
    with pytest.raises(InvalidParameterError, match=message):
        Protocol(warm_start=True).apply(clone(estimator))


def test_a_plain_skorch_net_can_only_be_warm_started():
    net = NeuralNetClassifier(torch.nn.Identity, verbose=0)
    assert Protocol(warm_start=True).apply(clone(net)).warm_start is True
    for protocol in [Protocol(train_to=0.9), Protocol(validation=0.1), Protocol(augment="strong")]:
        message = r"=NeuralNetClassifier does not have as a CNNClassifier has it\. Use a CNNCl"
        with pytest.raises(InvalidParameterError, match=message):
            protocol.apply(VotingClassifier([("one", network()), ("other", net)]))


def test_the_protocol_is_part_of_the_configuration(tmp_path):
    run(Protocol(train_to=0.9), out=tmp_path, n_rounds=0)
    with pytest.raises(ValueError, match=r"protocol\.train_to was 0\.9 and is now 0\.99"):
        run(Protocol(train_to=0.99), out=tmp_path, n_rounds=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warm_start": 1}, r"'warm_start' parameter of Protocol must be True or False\. Got 1"),
        ({"train_to": 99}, r"'train_to' .* None, or a number above 0 and at most 1\. Got 99"),
        ({"train_to": True}, r"'train_to' .* Got True"),
        ({"validation": 1.0}, r"'validation' .* None, or a number between 0 and 1\. Got 1\.0"),
        ({"validation": 0.1, "patience": 0}, r"'patience' .* None, or an int of at least 1\. Got"),
        ({"patience": 5}, r"'patience' .* None without validation\. Got 5 .* Set validation=0\.1"),
        ({"augment": 3}, r"'augment' .* None, or the name of an augmentation\. Got 3"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        Protocol(**settings)


@pytest.mark.parametrize(
    ("protocol", "parameter"),
    [
        (Protocol(warm_start=True), "warm_start"),
        (Protocol(validation=0.1), "train_split"),
        (Protocol(train_to=0.9), "callbacks"),
        (Protocol(augment="strong"), "augment"),
    ],
)
def test_an_estimator_that_cannot_do_it_is_refused(protocol, parameter):
    message = rf"sets '{parameter}', which the estimator of 'Watched'=FlatSGD does not have as a"
    with pytest.raises(InvalidParameterError, match=message), warnings.catch_warnings():
        run(protocol, FlatSGD())


def test_a_protocol_is_needed():
    with pytest.raises(InvalidParameterError, match=r"'protocol' .* a Protocol or None\. Got 'war"):
        run("warm start")


def test_numbers_may_be_numpys():
    given = Protocol(train_to=np.float32(0.5), validation=np.float64(0.25), patience=np.int64(3))
    assert given == Protocol(train_to=0.5, validation=0.25, patience=3)
    assert {type(given.train_to), type(given.validation)} == {float}
    assert type(given.patience) is int
    for name, wrong in (("patience", 3.0), ("validation", 2), ("train_to", True)):
        with pytest.raises(InvalidParameterError, match=f"'{name}' parameter"):
            Protocol(**{name: np.asarray(wrong)[()]})
