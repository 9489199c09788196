"""What takes a network back to its best epoch takes the loss-prediction module back, too."""

import copy
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LoadInitState, TrainEndCheckpoint

from skactive import CNNClassifier, LPLClassifier
from skactive.exceptions import InvalidParameterError
from skactive.experiments import Protocol

X = np.random.default_rng(0).normal(size=(60, 5))
Y = np.random.default_rng(1).integers(3, size=60)  # so that the validation loss soon rises


def make(**params):
    settings = {"max_epochs": 12, "random_state": 0, "device": "cpu", "lr": 0.1}
    return LPLClassifier(**settings | {"train_split": 0.3} | params)


def frozen(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Epochs(Callback):
    """Keeps both modules of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seen_, self.losses_ = [], []  # beside the history, which checkpoints take back too

    def on_epoch_end(self, net, **kwargs):
        self.losses_.append(net.history[-1, "valid_loss"])
        self.seen_.append((frozen(net.module_), frozen(net.loss_module_)))


class OwnBest(Callback):
    """Goes back to the best epoch with torch's means."""

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1, "valid_loss_best"]:
            self.best_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.best_)


def check_one_epoch(clf, epochs):
    """Both modules are of the epoch with the lowest validation loss, which is not the last."""
    best = int(np.argmin(epochs.losses_))
    assert best < len(epochs.losses_) - 1
    network, loss_module = epochs.seen_[best]
    assert same(frozen(clf.module_), network)
    assert same(frozen(clf.loss_module_), loss_module)
    assert not same(loss_module, epochs.seen_[-1][1])


def early_stopping(folder):
    return EarlyStopping(patience=4, threshold=0, load_best=True)


def checkpoint(folder):
    return Checkpoint(dirname=str(folder), load_best=True)


def checkpoint_of_files(folder):
    return Checkpoint(
        dirname=str(folder),
        load_best=True,
        use_safetensors=True,
        f_optimizer=None,
        f_loss_module="loss_module.safetensors",
    )


@pytest.mark.parametrize(
    "how", [early_stopping, checkpoint, checkpoint_of_files, lambda folder: OwnBest()]
)
@pytest.mark.parametrize("warm_start", [False, True])
def test_both_modules_are_of_one_epoch(how, warm_start, tmp_path):
    if how is checkpoint_of_files:
        pytest.importorskip("safetensors")
    epochs = Epochs()
    clf = make(callbacks=[epochs, how(tmp_path)], warm_start=warm_start).fit(X, Y)
    check_one_epoch(clf, epochs)
    if warm_start:  # what goes on is what was restored
        before = frozen(clf.loss_module_)
        still = clf.set_params(lr=1e-30, max_epochs=1, callbacks=None).fit(X, Y)
        assert same(frozen(still.loss_module_), before)


def test_in_a_protocol():
    epochs = Epochs()
    clf = Protocol(validation=0.3, patience=4).apply(make(train_split=None, callbacks=[epochs]))
    check_one_epoch(clf.fit(X, Y), epochs)


def test_a_file_that_is_loaded_again(tmp_path):
    """Also by an estimator that has been pickled."""
    saved = make(callbacks=[TrainEndCheckpoint(dirname=str(tmp_path))]).fit(X, Y)
    path = str(tmp_path / "train_end_params.pt")
    assert set(torch.load(path, weights_only=True)) == set(saved.module_.state_dict())
    for other in (make(random_state=1).fit(X, Y), make(random_state=2).fit(X, Y)):
        other = pickle.loads(pickle.dumps(other))
        other.net_.load_params(f_params=path)
        assert same(frozen(other.module_), frozen(saved.module_))
        np.testing.assert_array_equal(other.predict_loss(X), saved.predict_loss(X))


def test_a_fit_that_begins_with_a_file(tmp_path):
    end = TrainEndCheckpoint(dirname=str(tmp_path))
    saved = make(callbacks=[end]).fit(X, Y)
    begin = LoadInitState(end)
    still = make(callbacks=[end, begin], random_state=1, lr=1e-30, max_epochs=1).fit(X, Y)
    np.testing.assert_allclose(still.predict_loss(X), saved.predict_loss(X), rtol=1e-12)


def test_state_dicts_have_no_other_keys_and_fit_into_a_plain_classifier():
    lpl = make().fit(X, Y)
    plain = CNNClassifier(max_epochs=1, random_state=3, device="cpu").fit(X, Y)
    assert list(lpl.module_.state_dict()) == list(plain.module_.state_dict())
    plain.module_.load_state_dict(lpl.module_.state_dict())
    np.testing.assert_array_equal(plain.predict_proba(X), lpl.predict_proba(X))
    before = frozen(lpl.loss_module_)
    lpl.module_.load_state_dict(plain.module_.state_dict())  # which knows of no other module
    assert same(frozen(lpl.loss_module_), before)
    state = torch.nn.Module.state_dict(lpl.module_, destination={})  # without metadata
    lpl.module_.load_state_dict(state)


def test_a_state_of_another_loss_module_is_refused():
    wide, narrow = make(loss_module_dim=16).fit(X, Y), make(loss_module_dim=8).fit(X, Y)
    with pytest.raises(RuntimeError, match="size mismatch for stages.0.weight"):
        narrow.module_.load_state_dict(wide.module_.state_dict())


@pytest.mark.parametrize("kind", [Checkpoint, TrainEndCheckpoint])
def test_safetensors_of_the_network_alone(kind, tmp_path):
    own = kind(dirname=str(tmp_path), use_safetensors=True, f_optimizer=None)
    with pytest.raises(InvalidParameterError, match="f_loss_module=") as caught:
        make(callbacks=[("cp", own)]).fit(X, Y)
    assert caught.value.parameter == "callbacks__cp__use_safetensors"
    CNNClassifier(max_epochs=1, train_split=0.3, callbacks=[own], device="cpu").fit(X, Y)
