"""LPLClassifier: joint training against plain autograd, and what it shares with CNNClassifier."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, LRScheduler
from torch import nn

from skactive import CNNClassifier, LPLClassifier
from skactive.datasets import load_fashion_mnist
from tests.estimators.test_ranking import by_definition


def make(cls=LPLClassifier, **params):
    return cls(**{"max_epochs": 3, "random_state": 0, "device": "cpu", **params})


def state(clf):
    return {k: v.clone() for k, v in clf.module_.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


ROWS = np.random.default_rng(0).normal(size=(22, 5))
LABELS = np.arange(22) % 3


class WithDropout(nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(in_channels, 4, 3), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.fc(torch.dropout(x, 0.5, self.training))


# -- the joint loss -------------------------------------------------------------


def joint_loss(net, X, y, weight=None, detached=False):
    """The loss of a batch from the formulas, on a float64 MLP whose feature is `hidden`."""
    mlp = net.module_.network
    h = mlp.hidden(net.module_.input(X))
    losses = nn.functional.cross_entropy(mlp.fc(h), y, reduction="none")
    w = torch.ones(len(y), dtype=torch.float64) if weight is None else weight
    stage, joined = net.loss_module_.stages[0], net.loss_module_.joined
    predicted = joined(torch.relu(stage(h.detach() if detached else h)))[:, 0]
    terms = []
    for i in range(len(y) // 2):
        j = len(y) - 1 - i
        sign = 1.0 if losses[i].item() > losses[j].item() else -1.0
        terms.append(torch.relu(net.margin - sign * (predicted[i] - predicted[j])))
    ranking = sum(terms) / len(terms) if terms else predicted.sum() * 0
    return (w * losses).sum() / w.sum() + net.loss_weight * ranking


@pytest.mark.parametrize("b", [1, 2, 7, 8])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("detached", [False, True])
def test_the_gradient_of_a_step(b, weighted, detached):
    clf = make(loss_weight=0.7, margin=0.4, detach_after=0 if detached else 1).fit(ROWS, LABELS)
    net = clf.net_
    assert net.stops_at_features() is detached
    parameters = [*net.module_.parameters(), *net.loss_module_.parameters()]
    X, y = torch.as_tensor(ROWS[:b]), torch.as_tensor(LABELS[:b])
    weight = torch.linspace(1, 3, b, dtype=torch.float64) if weighted else None
    expected = torch.autograd.grad(joint_loss(net, X, y, weight, detached), parameters)
    net.optimizer_.zero_grad()
    step = net.train_step_single((X, y if weight is None else (y, weight)))
    torch.testing.assert_close(step["loss"], joint_loss(net, X, y, weight, detached))
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-14)


def test_equal_losses_in_training():
    X, y = np.tile(ROWS[:1], (6, 1)), np.zeros(6)
    clf = make(classes=[0, 1], normalize=None).fit(X, y)
    # every pair predicts alike too: each term is the margin, and no pair has an order
    np.testing.assert_allclose(clf.history_[:, "train_ranking_loss"], 1.0)
    assert np.isnan(clf.history_[:, "train_ranking_acc"]).all()


@pytest.mark.parametrize("params", [{}, {"class_weight": "balanced"}, {"batch_size": 5}])
def test_history(data, params):
    steps, sizes = [], []

    class Look(Callback):
        def on_batch_end(self, net, batch=None, training=False, **step):
            steps.append(step)
            sizes.append(len(batch[1]))

    X, y = data[0][:42], data[1][:42]
    look = Look()
    clf = make(loss_weight=0.5, callbacks=[("look", look)], **params)
    steps.clear()
    clf.fit(X, y)
    h = clf.history_
    per_epoch = len(steps) // 3
    for epoch in range(3):
        mine = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
        assert sum(sizes[mine]) == 42
        right = pairs = ranking = 0
        for step, b in zip(steps[mine], sizes[mine], strict=True):
            predicted, losses = step["predicted_losses"].numpy(), step["losses"].numpy()
            terms = by_definition(predicted, losses, 1.0)
            ranking += b * np.mean(terms)
            for i in range(b // 2):
                d = losses[i] - losses[b - 1 - i]
                pairs += d != 0
                right += d * (predicted[i] - predicted[b - 1 - i]) > 0
        assert h[epoch, "train_ranking_acc"] == right / pairs
        assert h[epoch, "train_ranking_loss"] == pytest.approx(ranking / 42, rel=1e-5)
        joint = h[epoch, "train_class_loss"] + 0.5 * h[epoch, "train_ranking_loss"]
        assert h[epoch, "train_loss"] == pytest.approx(joint, rel=1e-5)


def test_the_loss_of_validation_batches_is_the_cross_entropy(data):
    seen = []

    class Look(Callback):
        def on_batch_end(self, net, batch=None, training=False, **step):
            if not training:
                expected = nn.functional.cross_entropy(step["y_pred"], batch[1])
                torch.testing.assert_close(step["loss"], expected)
                seen.append(step["loss"].item())

    clf = make(train_split=0.2, callbacks=[Look]).fit(*data)
    assert len(seen) == 3
    np.testing.assert_allclose(clf.history_[:, "valid_loss"], seen)


def test_class_weights_are_not_in_the_ranking(data):
    X, y = data[0][:30], data[1][:30]

    class Look(Callback):
        def on_batch_end(self, net, batch=None, training=False, **step):
            expected = nn.functional.cross_entropy(step["y_pred"], batch[1], reduction="none")
            torch.testing.assert_close(step["losses"], expected.detach())
            weight = torch.tensor([1.0, 1.0, 9.0])[batch[1]]
            torch.testing.assert_close(
                step["class_loss"], (weight * expected).sum().detach() / weight.sum()
            )

    make(class_weight={2: 9.0}, callbacks=[Look]).fit(X, y)


# -- beside the network ---------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"module": "small_cnn"},
        {"module": "resnet18_narrow"},
        {"module": WithDropout, "augment": "crop_flip"},
        {"module": "small_cnn", "class_weight": "balanced", "train_split": 0.2},
        {"module": "small_cnn", "amp": True},
        {"module": "small_cnn", "optimizer": "adam", "lr": 1e-3},
    ],
)
def test_without_the_ranking_loss_it_is_a_cnn_classifier(data, params):
    plain = make(CNNClassifier, **params).fit(*data)
    joint = make(loss_weight=0, **params).fit(*data)
    assert same(state(plain), state(joint))
    assert not same(state(plain), state(make(loss_weight=1, **params).fit(*data)))


def test_nor_does_it_differ_in_warm_starts_and_partial_fits(data):
    X, y = data
    fits = []
    for cls, params in ((CNNClassifier, {}), (LPLClassifier, {"loss_weight": 0})):
        clf = make(cls, warm_start=True, **params).fit(X[:40], y[:40]).fit(X, y).partial_fit(X, y)
        fits.append(state(clf))
    assert same(*fits)


def test_a_batch_of_one_has_no_ranking_loss():
    params = {"classes": [0, 1], "normalize": None}
    joint = make(**params).fit(ROWS[:1], LABELS[:1])
    assert same(state(joint), state(make(CNNClassifier, **params).fit(ROWS[:1], LABELS[:1])))
    assert joint.history_[:, "train_ranking_loss"] == [0.0] * 3
    # the last of single samples joins the one before: one pair, in 2 of 22 samples
    single = make(batch_size=1, max_epochs=1, margin=50.0, lr=1e-9).fit(ROWS, LABELS)
    assert single.history_[0, "train_ranking_loss"] == pytest.approx(50 * 2 / 22, rel=0.05)


def test_the_module_is_the_network_alone(data):
    plain, joint = make(CNNClassifier).fit(*data), make().fit(*data)
    assert [n for n, _ in joint.module_.named_parameters()] == [
        n for n, _ in plain.module_.named_parameters()
    ]
    assert not any(m._forward_hooks for m in joint.module_.modules())
    assert not any(m.training for m in [*joint.module_.modules(), *joint.loss_module_.modules()])


def test_same_seed_same_predicted_losses_and_generators_untouched(data):
    before = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    first = make().fit(*data)
    losses = first.predict_loss(data[0])
    assert (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()) == before
    torch.manual_seed(5)
    np.testing.assert_array_equal(make().fit(*data).predict_loss(data[0]), losses)
    assert not np.array_equal(make(random_state=1).fit(*data).predict_loss(data[0]), losses)


def test_predict_loss(data):
    clf = make().fit(*data)
    X = data[0]
    losses = clf.predict_loss(X)
    assert losses.shape == (90,)
    assert losses.dtype == np.float64
    with torch.no_grad():
        h, features = clf.module_.input(torch.as_tensor(X)), []
        for stage in clf.module_.network.stages:
            h = stage(h)
            features.append(h.mean((2, 3)))
        hidden = [
            torch.relu(layer(x)) for layer, x in zip(clf.loss_module_.stages, features, strict=True)
        ]
        expected = clf.loss_module_.joined(torch.cat(hidden, 1))[:, 0]
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)
    large = np.tile(X, (4, 1, 1))  # two blocks
    np.testing.assert_allclose(clf.predict_loss(large)[270:], losses, rtol=1e-4, atol=1e-5)
    assert [layer.out_features for layer in clf.loss_module_.stages] == [128] * 3
    narrow = make(loss_module_dim=5).fit(*data).loss_module_
    assert narrow.joined.in_features == 15


def test_predict_loss_of_what_cannot_be_used(data):
    with pytest.raises(NotFittedError):
        make().predict_loss(data[0])
    clf = make(max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match="must be an array of shape \\(n, 10, 10\\)"):
        clf.predict_loss(data[0][:, :5])
    with pytest.raises(ValueError, match="at least one sample"):
        clf.predict_loss(data[0][:0])


@pytest.mark.slow
def test_it_learns_which_unseen_images_are_hard():
    data = load_fashion_mnist()
    X, y = data.X_train[:300], data.y_train[:300]
    X_test, y_test = data.X_test[:500], data.y_test[:500]
    correlation = {0: [], 1: []}
    for seed in range(3):
        for loss_weight in correlation:
            clf = make(
                module="small_cnn",
                module_params={"width": 8},
                loss_weight=loss_weight,
                max_epochs=12,
                random_state=seed,
            ).fit(X, y)
            p = clf.predict_proba(X_test)[np.arange(500), y_test]
            rank = spearmanr(clf.predict_loss(X_test), -np.log(p)).statistic
            correlation[loss_weight].append(rank)
    assert min(correlation[1]) > 0.5, correlation
    assert (np.subtract(correlation[1], correlation[0]) > 0.2).all(), correlation
    assert np.mean(correlation[1]) > np.mean(correlation[0]) + 0.5


# -- settings -------------------------------------------------------------------


def test_reference_is_the_published_setting():
    params = LPLClassifier.reference(device="cpu").get_params()
    expected = {
        "module": "resnet18",
        "max_epochs": 200,
        "batch_size": 128,
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "optimizer": "sgd",
        "augment": "crop_flip",
        "warm_start": True,
        "loss_weight": 1.0,
        "margin": 1.0,
        "loss_module_dim": 128,
        "loss_module_lr": None,
        "device": "cpu",
    }
    assert {name: params[name] for name in expected} == expected


def test_the_epochs_of_the_reference():
    """In epochs > 120 of 200 R stops at the features; from epoch 160 the rates are a tenth."""
    seen = []

    class Look(Callback):
        def on_batch_end(self, net, **kwargs):
            if not seen or seen[-1][0] != len(net.history):
                rates = {group["lr"] for group in net.optimizer_.param_groups}
                seen.append((len(net.history), net.stops_at_features(), *rates))

    clf = LPLClassifier.reference(
        module="auto",
        augment=None,
        module_params={"width": 2},
        random_state=0,
        device="cpu",
        callbacks=[Look],
        lr=0.01,
    )
    for cycle in range(2):  # a warm start counts from 0 again
        seen.clear()
        clf.fit(ROWS, LABELS)
        for epoch, (number, stops, rate) in enumerate(seen):
            assert number == 200 * cycle + epoch + 1
            assert stops is (epoch > 120)
            assert rate == pytest.approx(0.01 if epoch < 160 else 0.001)
        assert len(seen) == 200


@pytest.mark.parametrize(("share", "first"), [(0.0, 1), (0.3, 4), (0.35, 4), (1.0, None)])
def test_detach_after(share, first):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.stops_at_features())

    make(max_epochs=10, detach_after=share, callbacks=[Look]).fit(ROWS, LABELS)
    assert seen == [first is not None and e >= first for e in range(10)]


def test_partial_fit_never_detaches():
    clf = make(detach_after=0.0)
    for _ in range(4):
        clf.partial_fit(ROWS, LABELS)
        assert not clf.net_.stops_at_features()
    assert len(clf.history_) == 4


def test_a_learning_rate_of_its_own_on_the_same_schedule(data):
    def rates(clf):
        return [group["lr"] for group in clf.net_.optimizer_.param_groups]

    params = {"max_epochs": 10, "lr_schedule": "step", "lr": 0.1}
    assert rates(make(**params).fit(ROWS, LABELS)) == pytest.approx([0.01, 0.01])
    clf = make(loss_module_lr=0.02, **params).fit(ROWS, LABELS)
    assert rates(clf) == pytest.approx([0.01, 0.002])
    clf.partial_fit(ROWS, LABELS)
    assert rates(clf) == pytest.approx([0.1, 0.02])
    own = LRScheduler("ExponentialLR", gamma=0.1)
    callbacks = {"lr_schedule": None, "callbacks": [own], "max_epochs": 2}
    followed = make(loss_module_lr=0.02, lr=0.1, **callbacks).fit(ROWS, LABELS)
    assert rates(followed) == pytest.approx([0.001, 0.0002])
    groups = {"param_groups": [("*fc*", {"lr": 0.5})]}
    grouped = make(lr_schedule=None, optimizer_params=groups).fit(ROWS, LABELS)
    assert rates(grouped) == [0.5, 0.05, 0.05]
    still = make(loss_module_lr=1e-12, weight_decay=0, max_epochs=1).fit(ROWS, LABELS)
    moved = make(loss_module_lr=1e-12, weight_decay=0, max_epochs=4).fit(ROWS, LABELS)
    for a, b in zip(still.loss_module_.parameters(), moved.loss_module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"loss_weight": -1}, "'loss_weight' parameter of LPLClassifier must be a float"),
        ({"margin": -1}, "'margin' parameter of LPLClassifier"),
        ({"detach_after": 1.5}, "'detach_after' parameter of LPLClassifier"),
        ({"loss_module_dim": 0}, "'loss_module_dim' parameter of LPLClassifier"),
        ({"loss_module_lr": 0.0}, "'loss_module_lr' parameter of LPLClassifier"),
        ({"module": "resnet"}, "'module' parameter of LPLClassifier must be 'auto'"),
        ({"net_params": {"loss_weight": 2}}, "'net__loss_weight' parameter of LPLClassifier must"),
    ],
)
def test_settings_that_cannot_be_used(data, params, match):
    with pytest.raises(ValueError, match=match):
        make(**params).fit(*data)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_no_sample_weights(data, method):
    match = (
        "'sample_weight' parameter of LPLClassifier must be None, since the ranking loss compares "
        "samples in pairs.* Weigh the classes with class_weight=, or use a CNNClassifier"
    )
    with pytest.raises(ValueError, match=match):
        getattr(make(), method)(*data, sample_weight=np.ones(90))
    with pytest.raises(TypeError, match=f"LPLClassifier.{method} takes no 'weight'"):
        getattr(make(), method)(*data, weight=1)
    getattr(make(max_epochs=1), method)(*data, sample_weight=None)


# -- going on, storing, searching -----------------------------------------------


def test_warm_start_goes_on_with_both(data):
    X, y = data
    clf = make(warm_start=True).fit(X[:40], y[:40])
    before, losses = copy.deepcopy(clf.loss_module_.state_dict()), clf.predict_loss(X)
    clf.set_params(lr=1e-9, weight_decay=0).fit(X, y)
    assert len(clf.history_) == 6
    after = clf.loss_module_.state_dict()
    assert all(torch.allclose(before[k], after[k], atol=1e-6) for k in before)
    assert spearmanr(clf.predict_loss(X), losses).statistic > 0.9
    clf.set_params(lr=0.05).fit(X, y)
    assert not all(torch.allclose(before[k], after[k], atol=1e-3) for k in before)
    for change in ({"loss_module_dim": 64}, {"feature_layers": ["stages.0"]}, {"module": "vgg11"}):
        name = next(iter(change))
        old = {name: getattr(clf, name)}
        with pytest.raises(ValueError, match=f"'{name}' parameter .* Set warm_start=False"):
            clf.set_params(**change).fit(X, y)
        clf.set_params(**old)
    clf.set_params(loss_weight=0.5, detach_after=0.0).fit(X, y)  # all but structure may change


def test_partial_fit_goes_on_as_fit_would(data):
    whole = make(lr_schedule=None, detach_after=1.0).fit(*data)
    steps = make()
    for _ in range(3):
        steps.partial_fit(*data)
    np.testing.assert_array_equal(whole.predict_loss(data[0]), steps.predict_loss(data[0]))


def test_mixed_precision(data):
    clf = make(amp=True, max_epochs=8).fit(*data)
    assert clf.score(*data) > 0.8
    losses = clf.predict_loss(data[0])
    assert np.isfinite(losses).all()
    parameters = [*clf.module_.parameters(), *clf.loss_module_.parameters()]
    assert {p.dtype for p in parameters} == {torch.float32}
    assert not np.array_equal(losses, make(max_epochs=8).fit(*data).predict_loss(data[0]))


@pytest.mark.slow
def test_compiled(data):
    CNNClassifier("small_cnn", compile=True, max_epochs=1).fit(*data)  # the same code, no hooks
    compiled = make(compile=True, warm_start=True).fit(*data)
    compiled.predict_proba(data[0])
    plain = make(warm_start=True).fit(*data)
    for _ in range(2):
        np.testing.assert_allclose(
            compiled.predict_loss(data[0]), plain.predict_loss(data[0]), rtol=1e-2, atol=1e-2
        )
        again = pickle.loads(pickle.dumps(compiled))
        np.testing.assert_array_equal(again.predict_loss(data[0]), compiled.predict_loss(data[0]))
        compiled.fit(*data), plain.fit(*data)


def test_a_frozen_network_stays_frozen(data):
    from skactive.estimators._networks import SmallCNN

    network = SmallCNN(1, 3)
    for parameter in network.stages.parameters():
        parameter.requires_grad_(False)
    clf = make(module=network).fit(*data)
    for before, after in zip(
        network.stages.state_dict().values(),
        clf.module_.network.stages.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(before, after)
    assert clf.history_[-1, "train_ranking_loss"] < clf.history_[0, "train_ranking_loss"]


def test_set_params_of_the_net_reach_module_and_optimizer(data):
    clf = make(loss_module_lr=0.01).fit(*data)
    net = clf.net_.set_params(loss_module__dim=5)
    assert clf.loss_module_.joined.in_features == 15
    of_module = net.optimizer_.param_groups[1]
    assert [id(p) for p in of_module["params"]] == [id(p) for p in net.loss_module_.parameters()]
    assert of_module["lr"] == 0.01
    net.set_params(optimizer__momentum=0.5)
    assert [group["momentum"] for group in net.optimizer_.param_groups] == [0.5, 0.5]
    assert clf.partial_fit(*data).predict_loss(data[0]).shape == (90,)


def test_stored_and_loaded(data):
    clf = make(warm_start=True).fit(*data)
    for again in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        np.testing.assert_array_equal(again.predict_loss(data[0]), clf.predict_loss(data[0]))
        again.partial_fit(*data)
        again.fit(*data)
        assert len(again.history_) == 7


@pytest.mark.parametrize("fits", [1, 2])
def test_no_tensor_of_the_device_is_pickled_outside_skorchs_portable_part(data, fits):
    clf = make(optimizer="adam", lr=1e-3, warm_start=True)
    for _ in range(fits):
        clf.fit(*data)
    net = clf.net_
    tensors = [*net.module_.parameters(), *net.module_.buffers(), *net.loss_module_.parameters()]
    tensors += [v for s in net.optimizer_.state.values() for v in s.values()]
    known = {id(tensor) for tensor in tensors}
    found = []

    class Watch(pickle.Pickler):
        def persistent_id(self, obj):
            found.extend([obj] if id(obj) in known else [])

    parts = net.__getstate__()
    parts.pop("__cuda_dependent_attributes__")
    Watch(io.BytesIO()).dump({"net": parts, **{k: v for k, v in vars(clf).items() if k != "net_"}})
    assert not found


def test_checkpoints_keep_the_module_too(data, tmp_path):
    last = Checkpoint(monitor=None, dirname=tmp_path, f_loss_module="loss_module.pt")
    clf = make(callbacks=[last]).fit(*data)
    stored = torch.load(tmp_path / "loss_module.pt", weights_only=True)
    assert all(torch.equal(v, stored[k]) for k, v in clf.loss_module_.state_dict().items())
    other = make(random_state=1).fit(*data)
    other.net_.load_params(
        f_params=tmp_path / "params.pt",
        f_loss_module=tmp_path / "loss_module.pt",
        f_optimizer=tmp_path / "optimizer.pt",
    )
    np.testing.assert_array_equal(other.predict_loss(data[0]), clf.predict_loss(data[0]))


def test_in_scikit_learns_tools(data):
    X, y = data
    rows = X.reshape(len(X), -1)
    clf = make(input_shape=(10, 10), max_epochs=10, module_params={"width": 4})
    pipeline = make_pipeline(StandardScaler(), clf)
    grid = {"lplclassifier__loss_weight": [0.0, 1.0], "lplclassifier__lr": [1e-9, 0.05]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(rows, y)
    scale, best = search.best_estimator_
    assert best.lr == 0.05
    assert best.predict_loss(scale.transform(rows)).shape == (90,)
    assert clone(best).get_params()["loss_weight"] == best.loss_weight
    assert repr(LPLClassifier(loss_weight=2.0)) == "LPLClassifier(loss_weight=2.0)"


@pytest.mark.cuda
def test_cuda_agrees_and_follows_the_network(data):
    on_cpu, on_cuda = make().fit(*data), make(device="cuda", deterministic=True).fit(*data)
    assert next(on_cuda.loss_module_.parameters()).device.type == "cuda"
    again = make(device="cuda", deterministic=True).fit(*data)
    np.testing.assert_array_equal(again.predict_loss(data[0]), on_cuda.predict_loss(data[0]))
    np.testing.assert_allclose(
        on_cuda.predict_loss(data[0]), on_cpu.predict_loss(data[0]), rtol=0.05, atol=0.05
    )
    plain = make(CNNClassifier, device="cuda", deterministic=True).fit(*data)
    joint = make(loss_weight=0, device="cuda", deterministic=True).fit(*data)
    assert same(state(plain), state(joint))
    warm = make(device="cuda", warm_start=True, amp=True).fit(*data).fit(*data)
    assert len(warm.history_) == 6
