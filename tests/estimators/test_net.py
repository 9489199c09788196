"""Training inside a CNNClassifier: the steps of a plain loop, and what callbacks see of them."""

import pickle
import signal

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from benchmarks._plain_loop import Recipe, standardised, train
from skactive import CNNClassifier, LPLClassifier
from skactive.estimators._inputs import channel_statistics, infer_format
from skactive.estimators._net import ArrayBatches, ArrayDataset


def make(**params):
    return CNNClassifier(**{"max_epochs": 3, "random_state": 0, "device": "cpu", **params})


def orders(clf, n):
    """The order of the samples in each epoch of a fit."""
    for epoch in range(clf.max_epochs):
        generator = torch.Generator().manual_seed(clf.net_.order_seed + epoch)
        yield torch.randperm(n, generator=generator)


# -- the plain loop ---------------------------------------------------------------


def test_rows_are_trained_as_by_a_plain_loop():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(70, 6)), rng.integers(3, size=70)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    clf = make(module=net, normalize=None, weight_decay=0.01).fit(X, y)
    recipe = Recipe(3, weight_decay=0.01)
    train(net, torch.from_numpy(X), torch.from_numpy(y), recipe, orders(clf, 70))
    for ours, plain in zip(clf.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("module", ["small_cnn", "resnet18_narrow"])
def test_images_are_trained_as_by_a_plain_loop(data, module):
    X, y = data
    clf = make(module=module, lr=1e-12, max_epochs=1).fit(X, y)
    net = pickle.loads(pickle.dumps(clf.module_.network))
    clf = make(module=net, max_epochs=1, batch_size=30).fit(X, y)
    images = torch.from_numpy(X)[:, None]
    recipe = Recipe(1, batch_size=30)
    train(net, standardised(images, recipe), torch.from_numpy(y), recipe, orders(clf, len(X)))
    for ours, plain in zip(clf.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5)


# -- what callbacks and the history hold ------------------------------------------


class Losses(Callback):
    """Looks at the loss of each batch as it ends."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []

    def on_batch_end(self, net, training=False, **kwargs):
        self.seen_.append(
            net.history[-1, "batches", -1, f"{'train' if training else 'valid'}_loss"]
        )


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
def test_losses_are_read_at_the_end_or_at_once_where_a_callback_looks(data, kind):
    params = {"max_epochs": 2, "random_state": 0, "device": "cpu", "train_split": 0.2}
    plain = kind(**params).fit(*data)
    watched = kind(**params, callbacks=[("losses", Losses())]).fit(*data)
    seen = dict(watched.net_.callbacks_)["losses"].seen_
    found = [
        row.get("train_loss", row.get("valid_loss"))
        for epoch in plain.history_
        for row in epoch["batches"]
    ]
    assert {type(loss) for loss in (*seen, *found)} == {float}
    assert found == seen
    for name in ("train_loss", "valid_loss", "train_acc", "valid_acc", "train_batch_count"):
        assert plain.history_[:, name] == watched.history_[:, name]
    assert [sum(sizes) for sizes in plain.history_[:, "batches", :, "train_batch_size"]] == [72, 72]


def test_losses_before_a_failure_are_read(data):
    calls = []

    def fail(*args):
        calls.append(args)
        if len(calls) == 3:
            raise RuntimeError("third batch")

    clf = make().partial_fit(*data)
    clf.module_.network.fc.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="third batch"):
        clf.partial_fit(*data)
    losses = clf.history_[-1, "batches", :2, "train_loss"]
    assert [type(loss) for loss in losses] == [float, float]


# -- the optimizer ----------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_fused_optimizers_step_as_others_do(data, optimizer):
    fused, single = (
        make(optimizer=optimizer, lr=0.01, optimizer_params=params).fit(*data)
        for params in (None, {"fused": False})
    )
    for clf, expected in ((fused, True), (single, False)):
        assert {group["fused"] for group in clf.net_.optimizer_.param_groups} == {expected}
    for a, b in zip(fused.module_.parameters(), single.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


def test_a_layer_may_be_thawed_while_training(data):
    class Thaw(Callback):
        def on_batch_begin(self, net, **kwargs):
            if len(net.history) == 2:
                net.module_.network.fc.requires_grad_(True)

    net = pickle.loads(pickle.dumps(make(max_epochs=1).fit(*data).module_.network))
    net.fc.requires_grad_(False)
    fits = [
        make(module=net, callbacks=[Thaw], optimizer_params=params).fit(*data)
        for params in (None, {"fused": False})
    ]
    weights = [clf.module_.network.fc.weight for clf in fits]
    assert not torch.equal(weights[0], net.fc.weight)
    torch.testing.assert_close(*weights, rtol=1e-3, atol=1e-5)


def test_dampening_is_not_fused(data):
    clf = make(max_epochs=1, optimizer_params={"dampening": 0.5}).fit(*data)
    assert not clf.net_.optimizer_.param_groups[0]["fused"]


# -- the layout of images ---------------------------------------------------------


class Flattens(nn.Module):
    """Counts on the channels first in memory."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3)
        self.fc = nn.Linear(4 * 64, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).view(len(x), -1))


def test_a_module_of_ones_own_gets_the_channels_first(data):
    X = np.repeat(data[0][:, None], 3, axis=1)
    first = make(module=Flattens).fit(X, data[1])
    last = make(module=Flattens).fit(np.moveaxis(X, 1, -1), data[1])
    for a, b in zip(first.module_.parameters(), last.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(6, 10, 10), (6, 1, 10, 10), (6, 3, 10, 10), (6, 10, 10, 3)])
def test_named_networks_compute_with_the_channels_last(shape):
    rng = np.random.default_rng(0)
    clf = make(max_epochs=1).fit(rng.integers(0, 255, shape, dtype=np.uint8), np.arange(6) % 2)
    maps = []
    clf.module_.network.stages[0][0][0].register_forward_hook(lambda *of: maps.append(of[2]))
    clf.predict(rng.integers(0, 255, shape, dtype=np.uint8))
    assert maps[0].stride() == (1600, 1, 160, 16)  # of (6, 16, 10, 10)
    assert all(p.is_contiguous() for p in clf.module_.parameters())


# -- statistics -------------------------------------------------------------------


def test_statistics_of_many_blocks_with_a_large_offset():
    rng = np.random.default_rng(0)
    X = rng.normal(1e6, 1e-2, (40, 2, 4, 4))
    X[:, 1] = 1e6 / 3
    form = infer_format(X, input_shape=None, channels="first", owner="a test")
    w = rng.integers(0, 3, 40)
    w[8:16] = 0
    for block_size in (1, 100, 2**18):
        mean, std = channel_statistics(X, form, w, block_size)
        repeated = np.repeat(X, w, axis=0)
        np.testing.assert_allclose(mean, repeated.mean((0, 2, 3)), rtol=1e-14)
        np.testing.assert_allclose(std[0], repeated[:, 0].std(), rtol=1e-7)
        assert std[1] == 1


class Presses(Callback):
    """Ctrl-C at a point of the second epoch."""

    def __init__(self, at):
        self.at = at

    def notify(self, name, net):
        if name == self.at and len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)

    def on_epoch_begin(self, net, **kwargs):
        self.notify("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self.notify("on_epoch_end", net)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("at", ["on_epoch_begin", "on_epoch_end"])
def test_a_ctrl_c_comes_out_wherever_it_falls(data, at, kind, method):
    """In a callback at the end of an epoch it counted as one that skorch's EarlyStopping raises."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        clf = kind("small_cnn", max_epochs=3, callbacks=[Presses(at)], device="cpu")
        if method == "partial_fit":
            clf.partial_fit(*data)
        with pytest.raises(KeyboardInterrupt):
            getattr(clf, method)(*data)
    finally:
        signal.signal(signal.SIGINT, before)
    assert hasattr(clf, "net_") == (method == "partial_fit")


@pytest.mark.parametrize("weight", [None, torch.ones(6)])
def test_labels_are_where_the_samples_are(weight):
    """Samples on a device whose memory they are too large a part of stay there."""
    data = ArrayDataset(torch.zeros(6, 2, device="meta"), torch.arange(6), weight)
    held = ArrayBatches(data, 4, 0, torch.device("cpu")).data
    parts = [part for part in (held.X, held.y, held.weight) if part is not None]
    assert {part.device.type for part in parts} == {"meta"}
