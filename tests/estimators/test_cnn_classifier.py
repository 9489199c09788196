"""CNNClassifier on images: formats, labels, weights, seeds, going on, and stopping."""

import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

from skactive import CNNClassifier
from skactive.estimators import StopAtTrainAccuracy


def make(**params):
    return CNNClassifier(**{"max_epochs": 3, "random_state": 0, "device": "cpu", **params})


def weights(clf):
    return torch.cat([p.detach().flatten().cpu() for p in clf.module_.parameters()])


class PlainCNN(nn.Module):
    """Without BatchNorm, so that a sample's weight equals its repetition."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


class WithDropout(PlainCNN):
    def forward(self, x):
        return self.fc(torch.dropout(torch.relu(self.conv(x)).mean((2, 3)), 0.5, self.training))


# -- formats --------------------------------------------------------------------


def test_learns(data, new_data):
    clf = make(max_epochs=15).fit(*data)
    assert clf.score(*new_data) > 0.9
    assert clf.predict_proba(new_data[0]).shape == (60, 3)
    np.testing.assert_allclose(clf.predict_proba(new_data[0]).sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "params"),
    [
        (lambda X: X[:, None], {}),
        (lambda X: X[..., None], {}),
        (lambda X: X.reshape(len(X), -1), {"input_shape": (10, 10)}),
        (lambda X: X.reshape(len(X), -1), {"input_shape": (10, 10, 1)}),
        (lambda X: torch.as_tensor(X), {}),
        (lambda X: X[::-1].copy()[::-1], {}),  # negative strides
        (lambda X: X.astype(np.float32), {}),
        (lambda X: X.astype(np.float64), {}),
        (lambda X: X.astype(">f4"), {}),
        (lambda X: torch.as_tensor(X).double(), {}),
    ],
    ids=[
        "NCHW",
        "NHWC",
        "flat",
        "flat-HWC",
        "tensor",
        "reversed",
        "float32",
        "float64",
        "big-endian",
        "double-tensor",
    ],
)
def test_every_format_gives_the_same_network(data, change, params):
    X, y = data
    expected = make().fit(X, y)
    clf = make(**params).fit(change(X), y)
    # normalize="auto" takes the unit of the images out, so that float and uint8 agree too
    np.testing.assert_allclose(weights(clf), weights(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        clf.predict_proba(change(X)), expected.predict_proba(X), rtol=1e-3, atol=1e-4
    )


def test_colour_images_channels_first_and_last_agree():
    X = np.random.default_rng(0).integers(0, 256, (30, 8, 9, 3), dtype=np.uint8)
    y = np.arange(30) % 2
    last, first = make().fit(X, y), make().fit(np.moveaxis(X, -1, 1), y)
    assert torch.equal(weights(last), weights(first))
    assert last.module_.network.stages[0][0][0].in_channels == 3
    explicit = make(channels="last").fit(X, y)
    assert torch.equal(weights(last), weights(explicit))


@pytest.mark.parametrize("shape", [(64, 4, 4), (64, 3, 3), (64, 1, 1), (4, 4, 64), (1, 1, 28)])
def test_small_maps_may_be_either(shape, data):
    """Maps of 3×3 and 4×4 were taken for images with their channels last (cellpose#1402)."""
    X, y = np.random.default_rng(0).random((60, *shape), dtype=np.float32), data[1][:60]
    with pytest.raises(ValueError, match=r"'channels' .* could be either.* Pass channels='first'"):
        make().fit(X, y)
    n_channels = {"first": shape[0], "last": shape[-1]}
    for channels, n in n_channels.items():
        network = make(channels=channels, max_epochs=1).fit(X, y).module_.network
        assert network.stages[0][0][0].in_channels == n


def test_readonly_memmap_and_dataset(data, tmp_path):
    X, y = data
    file = np.memmap(tmp_path / "X", dtype=np.uint8, mode="w+", shape=X.shape)
    file[:] = X
    file.flush()
    readonly = np.memmap(tmp_path / "X", dtype=np.uint8, mode="r", shape=X.shape)
    clf = make().fit(readonly, y)
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(readonly), expected)
    pool = TensorDataset(torch.as_tensor(X), torch.as_tensor(y))
    np.testing.assert_array_equal(clf.predict_proba(pool), expected)


@pytest.mark.parametrize(
    ("X", "params", "match"),
    [
        (
            np.zeros((6, 3, 9, 4)),
            {},
            "'channels' parameter of CNNClassifier must be 'first' or "
            "'last' .* could be either. Got 'auto' instead. Pass channels='first'",
        ),
        (np.zeros((6, 8, 9, 7)), {}, "has no axis of 1, 3 or 4 channels"),
        (np.zeros((6, 8, 3)), {}, "looks like one image"),
        (np.zeros((6, 8, 8, 8, 3)), {}, "must be rows \\(n, F\\) or images"),
        (np.zeros((6, 8, 8), dtype=int), {}, "images of dtype uint8 .* Convert with"),
        (np.zeros((6, 60)), {"input_shape": (8, 8)}, "A row of 60 values"),
        (np.zeros((6, 8, 9)), {"input_shape": (8, 8)}, "Leave input_shape=None"),
        (np.zeros((6, 0, 9)), {}, "at least one sample, row and column"),
        (np.zeros((0, 9, 9)), {}, "at least one sample"),
        (np.full((6, 8, 8), np.nan), {}, "NaN or infinity, first in sample 0"),
    ],
)
def test_images_that_cannot_be_used(X, params, match):
    with pytest.raises(ValueError, match=match):
        make(**params).fit(X, np.arange(len(X)) % 2)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((2, 10, 11), np.uint8), "must be an array of shape \\(n, 10, 10\\)"),
        (np.zeros((10, 10), np.uint8), "add an axis: X\\[None\\]"),
        (np.zeros((2, 10, 10)), "uint8 \\(0 to 255\\) images, as the estimator was fitted"),
    ],
)
def test_layout_and_dtype_are_fixed_at_fit(data, X, match):
    clf = make(max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match=match):
        clf.predict(X)


def test_moved_channels_and_bad_pixels_at_predict():
    clf = make(max_epochs=1).fit(np.random.default_rng(0).random((8, 3, 8, 8)), [0, 1] * 4)
    with pytest.raises(ValueError, match="channels are on another axis"):
        clf.predict(np.zeros((2, 8, 8, 3)))
    X = np.zeros((600, 3, 8, 8))
    X[555, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="first in sample 555"):
        clf.predict(X)


def test_datasets_that_cannot_be_used(data):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    clf = make(max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match="fetched by position"):
        clf.predict(Stream())
    with pytest.raises(ValueError, match="Stack its samples into an array"):
        make().fit(TensorDataset(torch.zeros(3, 1, 8, 8)), [0, 1, 0])


def test_a_batch_of_the_wrong_shape_for_the_module(data):
    clf = make(max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match="must be a batch of shape \\('n', 10, 10\\)"):
        clf.module_(torch.zeros(2, 8, 8))


# -- normalisation --------------------------------------------------------------


def test_normalize(data):
    X = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)
    y = np.arange(40) % 2
    auto = make(max_epochs=1).fit(X, y).module_.input
    np.testing.assert_allclose(auto.mean.flatten(), X.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(auto.std.flatten(), X.std((0, 2, 3)), rtol=1e-6)
    pair = make(max_epochs=1, normalize=((0.1, 0.2, 0.3), 0.5)).fit(X, y).module_.input
    np.testing.assert_allclose(pair.mean.flatten(), [25.5, 51, 76.5], rtol=1e-6)
    np.testing.assert_allclose(
        pair(torch.as_tensor(X)),
        (X / 255 - np.reshape([0.1, 0.2, 0.3], (1, 3, 1, 1))) / 0.5,
        rtol=1e-4,
        atol=1e-5,
    )
    none = make(max_epochs=1, normalize=None).fit(X, y).module_.input
    np.testing.assert_allclose(none(torch.as_tensor(X)), X / 255, rtol=1e-6)
    constant = make(max_epochs=1).fit(np.full((4, 8, 8), 7, np.uint8), [0, 1, 0, 1])
    assert constant.module_.input.std.item() == 1


@pytest.mark.parametrize("normalize", [(0, 0), (0, -1), (np.nan, 1), ((0, 0), 1), (1, 2, 3), "x"])
def test_normalize_that_cannot_be_used(data, normalize):
    with pytest.raises(ValueError, match="'normalize' parameter of CNNClassifier must be"):
        make(normalize=normalize).fit(*data)


def test_statistics_carry_the_sample_weights():
    rng = np.random.default_rng(0)
    X, w = rng.normal(5, 3, (50, 2, 6, 6)), rng.integers(1, 4, 50)
    weighted = make(max_epochs=1, channels="first").fit(X, np.arange(50) % 2, sample_weight=w)
    repeated = np.repeat(X, w, axis=0)
    np.testing.assert_allclose(
        weighted.module_.input.std.flatten(), repeated.std((0, 2, 3)), rtol=1e-6
    )


# -- labels and weights ---------------------------------------------------------


@pytest.mark.parametrize("labels", [["c", "a", "b"], [7, -1, 3], [2.0, 0.0, 1.0]])
def test_any_labels(data, labels):
    X, y = data
    y = np.asarray(labels)[y]
    clf = make(max_epochs=8).fit(X, y)
    np.testing.assert_array_equal(clf.classes_, np.sort(labels))
    assert (clf.predict(X) == y).mean() > 0.8


def test_a_class_missing_at_first_keeps_its_column(data):
    X, y = data
    clf = make(classes=[2, 1, 0, 5], max_epochs=8).fit(X[y > 0], y[y > 0])
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2, 5])
    p = clf.predict_proba(X[y > 0])
    assert p.shape == (60, 4)
    assert p[:, [0, 3]].max() < 0.3
    with pytest.raises(
        ValueError, match="out of the classes \\[0, 1, 2, 5\\]. Got \\[9\\] instead"
    ):
        clf.fit(X, np.where(y == 0, 9, y))


def test_weight_equals_repetition_and_zero_equals_absence(data):
    X, y = data[0][:30], data[1][:30]
    w = np.random.default_rng(0).integers(0, 3, 30)
    params = {"module": PlainCNN, "batch_size": 100, "weight_decay": 0, "classes": [0, 1, 2]}
    weighted = make(**params).fit(X, y, sample_weight=w)
    repeated = make(**params).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=1e-4, atol=1e-6)
    absent = make(**params).fit(X[w > 0], y[w > 0], sample_weight=w[w > 0])
    assert torch.equal(weights(weighted), weights(absent))


def test_the_loss_is_the_weighted_mean(data):
    clf = make(max_epochs=1).fit(*data)
    logits, y, w = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1]), torch.rand(5)
    single = nn.functional.cross_entropy(logits, y, reduction="none")
    expected = (w * single).sum() / w.sum()
    assert torch.isclose(clf.net_.get_loss(logits, (y, w)), expected)
    assert torch.isclose(clf.net_.get_loss(logits, y), single.mean())


def test_class_weight(data):
    X, y = data
    keep = np.r_[np.flatnonzero(y == 0)[:3], np.flatnonzero(y == 1), np.flatnonzero(y == 2)]
    X, y = X[keep], y[keep]
    params = {"module": PlainCNN, "classes": [0, 1, 2, 3]}
    balanced = make(class_weight="balanced", **params).fit(X, y)
    factors = {0: 63 / (3 * 3), 1: 63 / (3 * 30), 2: 63 / (3 * 30)}
    by_hand = make(class_weight=factors, **params).fit(X, y)
    np.testing.assert_allclose(weights(balanced), weights(by_hand), rtol=1e-5, atol=1e-6)
    as_sample = make(**params).fit(X, y, sample_weight=[factors[c] for c in y])
    # the statistics of normalize="auto" carry sample weights, not class weights
    assert not torch.equal(as_sample.module_.input.mean, balanced.module_.input.mean)
    absent = make(class_weight={0: 0.0}, normalize=None, batch_size=2, **params).fit(X, y)
    without = make(normalize=None, batch_size=2, **params).fit(X[y > 0], y[y > 0])
    assert torch.equal(weights(absent), weights(without))
    with pytest.raises(ValueError, match="'class_weight' parameter .* keys out of"):
        make(class_weight={"a": 1}, **params).fit(X, y)
    with pytest.raises(ValueError, match="'class_weight' parameter .* keys out of"):
        make(class_weight={(0, 1, 2, 3): 2}, **params).fit(X, y)
    for wrong in ({0: -1}, {0: np.nan}, {0: "a"}, {0: 0, 1: 0, 2: 0}):
        with pytest.raises(ValueError, match="finite numbers of at least 0, above 0 for some"):
            make(class_weight=wrong, **params).fit(X, y)


@pytest.mark.parametrize(
    ("y", "w", "match"),
    [
        (None, None, "requires y to be passed"),
        ([0, 1], None, "inconsistent numbers of samples: X has 90, y has 2"),
        (np.linspace(0, 1, 90), None, "Unknown label type"),
        (np.arange(90) % 3, np.zeros(90), "at least one non-zero number"),
        (np.arange(90) % 3, -np.ones(90), "Negative values"),
    ],
)
def test_labels_and_weights_that_cannot_be_used(data, y, w, match):
    with pytest.raises(ValueError, match=match):
        make().fit(data[0], y, sample_weight=w)


def test_weights_as_a_series(data):
    import pandas as pd

    w = np.random.default_rng(0).random(90)
    series = make(max_epochs=1).fit(*data, sample_weight=pd.Series(w))
    assert torch.equal(weights(series), weights(make(max_epochs=1).fit(*data, sample_weight=w)))


def test_weights_as_a_tensor_with_a_gradient(data):
    w = np.random.default_rng(0).random(90)
    tensor = make(max_epochs=1).fit(*data, sample_weight=torch.tensor(w, requires_grad=True))
    assert torch.equal(weights(tensor), weights(make(max_epochs=1).fit(*data, sample_weight=w)))
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        make().fit(*data, sample_weight=np.ma.array(w, mask=w > 0.5))


@pytest.mark.parametrize("factor", [2.0**-900, 2.0**900])
def test_the_size_of_weights_does_not_matter(data, factor):
    """Weights of 1e-300 became 0 in float32, and the loss NaN."""
    w = np.random.default_rng(0).random(90)
    scaled = make(max_epochs=1).fit(*data, sample_weight=factor * w)
    assert torch.equal(weights(scaled), weights(make(max_epochs=1).fit(*data, sample_weight=w)))


def test_weights_that_are_nothing_beside_others(data):
    w, kept = np.full(90, 1e-60), np.arange(0, 90, 9)
    w[kept] = 1
    params = {"batch_size": 2, "max_epochs": 1, "classes": [0, 1, 2], "normalize": None}
    tiny = make(**params).fit(*data, sample_weight=w)
    some = make(**params).fit(data[0][kept], data[1][kept])
    assert torch.equal(weights(tiny), weights(some))


# -- seeds ----------------------------------------------------------------------


@pytest.mark.parametrize("module", ["small_cnn", WithDropout])
def test_same_seed_same_weights_and_generators_untouched(data, module):
    import random

    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    first = make(module=module, augment="crop_flip").fit(*data)
    assert states() == before
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    second = make(module=module, augment="crop_flip").fit(*data)
    assert torch.equal(weights(first), weights(second))
    other = make(module=module, augment="crop_flip", random_state=1).fit(*data)
    assert not torch.equal(weights(first), weights(other))


def test_random_state_may_be_a_generator(data):
    X, y = data
    fits = [
        make(random_state=make_rng(0), max_epochs=1).fit(X, y)
        for make_rng in (np.random.RandomState, np.random.RandomState, np.random.default_rng)
    ]
    assert torch.equal(weights(fits[0]), weights(fits[1]))
    rng = np.random.RandomState(0)
    once, again = (make(random_state=rng, max_epochs=1).fit(X, y) for _ in range(2))
    assert torch.equal(weights(once), weights(fits[0]))
    assert not torch.equal(weights(once), weights(again))


def test_threads_take_turns(data):
    X, y = data
    expected = [make(module=WithDropout, random_state=s).fit(X, y) for s in range(4)]
    found = [make(module=WithDropout, random_state=s) for s in range(4)]
    threads = [threading.Thread(target=clf.fit, args=(X, y)) for clf in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(weights(a), weights(b))
    results = {}
    threads = [
        threading.Thread(target=lambda i=i: results.update({i: found[0].predict_proba(X)}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for p in results.values():
        np.testing.assert_array_equal(p, expected[0].predict_proba(X))


def test_deterministic_restores_torchs_settings(data):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.are_deterministic_algorithms_enabled())

    clf = make(deterministic=True, callbacks=[Look]).fit(*data)
    assert seen == [True] * 3
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(weights(clf), weights(make(deterministic=True).fit(*data)))


# -- going on -------------------------------------------------------------------


def test_partial_fit_goes_on_as_fit_would(data):
    X, y = data
    whole = make(lr_schedule=None, max_epochs=3).fit(X, y)
    steps = make(max_epochs=99)
    for _ in range(3):
        steps.partial_fit(X, y)
    assert len(steps.history_) == 3
    assert torch.equal(weights(whole), weights(steps))
    steps.partial_fit(X[:10], y[:10])
    with pytest.raises(ValueError, match="those of the first call, \\[0, 1, 2\\]"):
        steps.partial_fit(X, y, classes=[0, 1])


def test_partial_fit_takes_the_classes_once(data):
    X, y = data
    clf = make().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2, 3])
    assert clf.predict_proba(X).shape == (90, 4)
    clf.partial_fit(X, y)
    with pytest.raises(ValueError, match="must be an array of shape"):
        clf.partial_fit(X[:, :5], y)


def test_warm_start_goes_on_with_a_new_optimizer(data):
    X, y = data
    clf = make(warm_start=True, classes=[0, 1, 2], lr=1e-9, weight_decay=0).fit(X[:40], y[:40])
    before, scale = weights(clf), clf.module_.input.mean.clone()
    clf.fit(X, y)
    assert len(clf.history_) == 6
    np.testing.assert_allclose(weights(clf), before, atol=1e-5)  # not drawn anew
    assert torch.equal(clf.module_.input.mean, scale)
    clf.set_params(lr=0.1).fit(X, y)
    assert not torch.allclose(weights(clf), before, atol=1e-3)
    for change in ({"module": "resnet18_narrow"}, {"classes": [0, 1, 2, 3]}, {"normalize": None}):
        name = next(iter(change))
        old = {name: getattr(clf, name)}
        with pytest.raises(ValueError, match=f"'{name}' parameter .* Set warm_start=False"):
            clf.set_params(**change).fit(X, y)
        clf.set_params(**old)
    cold = make(lr=1e-9).fit(X, y)
    assert len(cold.fit(X, y).history_) == 3


def test_a_failed_fit_changes_nothing(data):
    X, y = data
    clf = make().fit(X, y)
    before = clf.predict_proba(X)
    for bad in (lambda: clf.fit(X[:, :0], y), lambda: clf.set_params(lr=-1).fit(X, y)):
        with pytest.raises(ValueError, match=r"."):
            bad()
        np.testing.assert_array_equal(clf.predict_proba(X), before)
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_ctrl_c_goes_through_and_callbacks_may_stop(data):
    class Interrupt(PlainCNN):
        def forward(self, x):
            if self.training:
                raise KeyboardInterrupt
            return super().forward(x)

    clf = make(module=Interrupt)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*data)
    with pytest.raises(NotFittedError):
        clf.predict(data[0])
    stopping = EarlyStopping("valid_loss", patience=1, threshold=10.0, threshold_mode="abs")
    stopped = make(train_split=0.2, max_epochs=50, callbacks=[stopping]).fit(*data)
    assert len(stopped.history_) == 2
    assert "valid_acc" in stopped.history_[-1]
    assert stopping.best_epoch_ == 1  # the callback is the user's own


def test_stop_at_train_accuracy(data):
    clf = make(max_epochs=60, callbacks=[StopAtTrainAccuracy(0.9)]).fit(*data)
    accuracy = clf.history_[:, "train_acc"]
    assert accuracy[-1] >= 0.9 > max([0, *accuracy[:-1]])
    bounded = make(max_epochs=1, callbacks=[StopAtTrainAccuracy(1.0)]).fit(*data)
    assert len(bounded.history_) == 1
    with pytest.raises(ValueError, match="'threshold' parameter of StopAtTrainAccuracy"):
        make(callbacks=[StopAtTrainAccuracy(99)]).fit(*data)


def test_train_split_is_stratified_and_seeded(data):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, dataset_valid=None, **kwargs):
            seen.append(np.bincount(dataset_valid.y.numpy()).tolist())

    clf = make(train_split=0.2, callbacks=[Look]).fit(*data)
    assert seen == [[6, 6, 6]] * 3
    assert clf.net_.train_split is None  # the images are not kept
    assert "valid_loss" in clf.history_[-1]
    assert torch.equal(weights(clf), weights(make(train_split=0.2).fit(*data)))
    with pytest.raises(ValueError, match="leaves at least one of the 2 samples on either side"):
        make(train_split=0.1).fit(data[0][:2], data[1][:2])


def test_lr_schedules(data):
    constant = make(lr_schedule=None).fit(*data)
    assert "lr" not in constant.history_[-1]
    cosine = make(max_epochs=4, lr=1.0, weight_decay=0).fit(*data)
    expected = [0.5 * (1 + np.cos(np.pi * e / 4)) for e in range(4)]
    np.testing.assert_allclose(cosine.history_[:, "lr"], expected)
    step = make(max_epochs=5, lr_schedule="step").fit(*data)
    np.testing.assert_allclose(step.history_[:, "lr"], [0.05] * 4 + [0.005])
    own = make(max_epochs=2, lr_schedule=lambda done: 1 - done).fit(*data)
    np.testing.assert_allclose(own.history_[:, "lr"], [0.05, 0.025])


def test_a_schedule_keeps_the_rates_of_groups_apart(data):
    groups = {"param_groups": [("*fc*", {"lr": 0.001})]}
    clf = make(optimizer_params=groups, lr_schedule=lambda done: 1 - done).fit(*data)
    rates = sorted(group["lr"] for group in clf.net_.optimizer_.param_groups)
    np.testing.assert_allclose(rates, [0.001 / 3, 0.05 / 3])
    own = LRScheduler("ExponentialLR", gamma=0.1)
    make(lr_schedule=None, callbacks=[own]).fit(*data)
    with pytest.raises(ValueError, match="'lr_schedule' parameter .* Pass lr_schedule=None"):
        make(callbacks=[own]).fit(*data)


def test_partial_fit_has_no_schedule_and_honours_new_settings(data):
    clf = make(lr_schedule=lambda done: 0.1 + done).partial_fit(*data).partial_fit(*data)
    assert clf.history_[:, "lr"] == [0.05, 0.05]
    before = weights(clf)
    clf.set_params(lr=1e-12, batch_size=45, weight_decay=0).partial_fit(*data)
    np.testing.assert_allclose(weights(clf), before, atol=1e-6)
    assert len(clf.history_[-1]["batches"]) == 2
    constant = make(lr_schedule=None).partial_fit(*data)
    before = weights(constant)
    constant.set_params(lr=1e-12).partial_fit(*data)
    np.testing.assert_allclose(weights(constant), before, atol=1e-6)


def test_scoring_callbacks_see_labels_without_weights(data):
    scores = [
        ("caching", EpochScoring("accuracy", lower_is_better=False, name="caching")),
        ("anew", EpochScoring("accuracy", lower_is_better=False, name="anew", use_caching=False)),
        ("train", EpochScoring("accuracy", lower_is_better=False, name="train", on_train=True)),
    ]
    clf = make(class_weight="balanced", train_split=0.2, callbacks=scores)
    clf.fit(*data, sample_weight=np.ones(90))
    last = clf.history_[-1]
    assert last["caching"] == last["anew"] == last["valid_acc"]
    assert last["train"] == last["train_acc"]


def test_a_batch_is_gathered_at_once(data, monkeypatch):
    from skactive.estimators._net import ArrayDataset

    calls = []
    original = ArrayDataset.__getitem__
    monkeypatch.setattr(
        ArrayDataset,
        "__getitem__",
        lambda self, index: calls.append(index) or original(self, index),
    )
    make().fit(*data)
    assert len(calls) == 3 * 3  # epochs × batches, not images


def test_the_network_is_left_in_evaluation_mode(data):
    assert not any(m.training for m in make().fit(*data).module_.modules())


def test_tags_are_honest():
    tags = CNNClassifier().__sklearn_tags__()
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags.classifier_tags.poor_score
    assert not tags.input_tags.sparse


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_compute_in_their_own_dtype(dtype):
    X = np.random.default_rng(0).normal(size=(40, 5)).astype(dtype)
    clf = make().fit(X, np.arange(40) % 2)
    assert {str(p.dtype) for p in clf.module_.parameters()} == {f"torch.{np.dtype(dtype).name}"}
    assert clf.net_.criterion_(torch.zeros(1, 2), torch.tensor([0])).dtype == torch.float32


def test_divergence_warns(data):
    with pytest.warns(ConvergenceWarning, match="not finite; the network is of no use. Lower lr"):
        make(module=PlainCNN, lr=1e30, lr_schedule=None).fit(*data)


def test_a_last_batch_of_one_joins_the_one_before(data):
    class Norm(PlainCNN):
        def __init__(self, in_channels, num_classes):
            super().__init__(in_channels, num_classes)
            self.norm = nn.BatchNorm1d(4)

        def forward(self, x):
            return self.fc(self.norm(self.conv(x).mean((2, 3))))

    clf = make(module=Norm, batch_size=8).fit(data[0][:17], data[1][:17])
    sizes = [b["train_batch_size"] for b in clf.history_[0]["batches"]]
    assert sizes == [8, 9]


def test_verbose_prints_a_table(data, capsys):
    make(verbose=1).fit(*data)
    assert "train_acc" in capsys.readouterr().out
    make().fit(*data)
    assert capsys.readouterr().out == ""


def test_mixed_precision_trains_and_predicts_in_float32(data):
    clf = make(amp=True, max_epochs=8).fit(*data)
    assert clf.score(*data) > 0.8
    assert all(p.dtype == torch.float32 for p in clf.module_.parameters())
    assert not torch.equal(weights(clf), weights(make(max_epochs=8).fit(*data)))


@pytest.mark.slow
def test_compiled(data):
    compiled = make(compile=True).fit(*data)
    plain = make().fit(*data)
    np.testing.assert_allclose(
        compiled.predict_proba(data[0]), plain.predict_proba(data[0]), rtol=1e-2, atol=1e-3
    )
    again = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(again.predict(data[0]), compiled.predict(data[0]))


@pytest.mark.cuda
def test_cuda_model_agrees_and_loads_on_a_cpu(data, tmp_path):
    import subprocess
    import sys

    import joblib

    X, _ = data
    clf = make(device="cuda", deterministic=True).fit(*data)
    assert torch.equal(weights(clf), weights(make(device="cuda", deterministic=True).fit(*data)))
    joblib.dump(clf, tmp_path / "clf")
    np.savez(tmp_path / "expected.npz", X=X, p=clf.predict_proba(X))
    code = (
        "import sys, warnings, joblib, numpy as np; warnings.simplefilter('ignore');"
        "clf = joblib.load(sys.argv[1] + '/clf'); d = np.load(sys.argv[1] + '/expected.npz');"
        "np.testing.assert_allclose(clf.predict_proba(d['X']), d['p'], rtol=1e-3, atol=1e-4)"
    )
    env = {**__import__("os").environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=env)
