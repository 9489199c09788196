"""Networks: the named ones, torchvision's, and a user's own, frozen or lazy or with two outputs."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from skactive import CNNClassifier, Embedder
from skactive.estimators import _training_data
from skactive.estimators._build import build_network
from skactive.estimators._inputs import InputFormat
from skactive.exceptions import InvalidParameterError
from tests.pretended import pretended

RGB = InputFormat((3, 32, 32), "CHW", (3, 32, 32), integer=True)
GREY = InputFormat((28, 28), "HW", (28, 28), integer=True)


def make(module="auto", **params):
    return CNNClassifier(module, **{"max_epochs": 1, "random_state": 0, "device": "cpu", **params})


def build(module, form=RGB, n_classes=10, params=None, weights=None):
    return build_network(
        module, form, n_classes, params=params or {}, weights=weights, owner="a test"
    )


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


class Net(nn.Sequential):
    def __init__(self, n_classes=3):
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n_classes))


class Softmax(Net):
    def forward(self, x):
        return super().forward(x).softmax(1)


def test_the_narrow_resnet_is_fishermasks():
    network = build("resnet18_narrow")
    assert n_parameters(network) == 701_456  # methods.md, section 2
    assert network.fc.bias is None
    assert network.fc.weight.shape == (10, 128)
    assert [stage[-1].bn2.num_features for stage in network.stages] == [16, 32, 64, 128]


@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        # counted by hand from the layer shapes: weights + BatchNorm pairs + head
        ("small_cnn", GREY, 16 * 9 + 16 * 32 * 9 + 32 * 64 * 9 + 2 * (16 + 32 + 64) + 650),
        ("resnet18", RGB, 11_173_962),
        (
            "vgg11",
            RGB,
            9 * (3 * 64 + 64 * 128 + 128 * 256 + 256**2 + 256 * 512 + 3 * 512**2)
            + 2 * (64 + 128 + 2 * 256 + 4 * 512)
            + 5130,
        ),
    ],
)
def test_named_networks(name, form, count):
    network = build(name, form)
    assert n_parameters(network) == count
    x = torch.zeros(2, form.n_channels, *form.shape[-2:])
    assert network.eval()(x).shape == (2, 10)


def test_width_reaches_the_network():
    assert build("resnet18", params={"width": 8}).fc.in_features == 64
    assert build("small_cnn", GREY, params={"width": 4}).fc.in_features == 16
    rows = InputFormat((7,), "rows", (7,), integer=False)
    assert build("mlp", rows, params={"width": 5}).fc.in_features == 5


def test_a_linear_layer_for_rows():
    rows = InputFormat((7,), "rows", (7,), integer=False)
    network = build("linear", rows, params={"dropout": 0.5}).eval()
    assert n_parameters(network) == 70 + 10
    x = torch.randn(2, 7)
    assert torch.equal(network(x), network.fc(x))
    assert not torch.equal(network.train()(x), network.fc(x))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_small_cnn_takes_images_of_a_few_pixels(size):
    X = np.random.default_rng(0).random((12, 1, size, size))
    assert make(channels="first").fit(X, np.arange(12) % 2).predict(X).shape == (12,)


class Squeezed(nn.Module):
    def forward(self, x):
        return x.squeeze()


class Squeezes(nn.Module):
    """Loses the axis of the samples where there is one sample."""

    def __init__(self, num_classes=3):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, num_classes)

    def forward(self, x):
        return self.head(nn.functional.adaptive_avg_pool2d(self.conv(x), 1).squeeze())


@pytest.mark.parametrize(
    ("params", "X", "match"),
    [
        (
            {"module": "resnet"},
            "images",
            "'module' parameter of CNNClassifier must be 'auto', "
            "'small_cnn', .*torchvision.models.list_models",
        ),
        ({"module": "torchvision/resnet"}, "images", "one of torchvision's classification"),
        ({"module": "linear"}, "images", "'linear' is for rows of features: flatten the images"),
        ({"module": "vgg11"}, "rows", "must be 'auto', 'mlp', 'linear' or a torch module where X"),
        ({"module": "small_cnn"}, "rows", "Pass input_shape=\\(C, H, W\\) if the rows"),
        (
            {"module_params": {"wide": 2}},
            "images",
            "'module__wide' parameter of CNNClassifier must "
            "be a parameter of SmallCNN, which takes width",
        ),
        ({"module": Net(), "module_params": {"a": 1}}, "images", "Pass the class of the module"),
        (
            {"module": Net(2)},
            "images",
            "returns logits of shape \\(n, 3\\).* Got outputs of shape \\(n, 2\\)",
        ),
        ({"module": Net(1)}, "images", "a single one is not supported"),
        ({"module": nn.Flatten()}, "images", "with that many outputs"),
        ({"weights": "no-such-file.pt"}, "images", "'weights' parameter .* Save one with"),
        ({"optimizer": dict}, "images", "a subclass of torch.optim.Optimizer"),
        ({"augment": "flip"}, "rows", "None where X holds rows of features"),
        ({"net_params": {"lr": 1}}, "images", "'net__lr' parameter .* own parameter for 'lr'"),
        ({"device": "cuda:99"}, "images", "'device' parameter of CNNClassifier must be"),
        ({"device": "meta"}, "images", "must be 'auto' or a torch device"),
        ({"module": "vgg11"}, "images", "network for samples of shape \\(8, 8\\).* another size"),
        (
            {"module": Squeezes},
            "images",
            "logits of shape \\(1, 3\\) for one sample. Got outputs of shape \\(3,\\) instead. A "
            "squeeze\\(\\) removes the axis of a lone sample, too: say .flatten\\(1\\)",
        ),
        (
            {"module": nn.Sequential(nn.Conv2d(1, 3, 8), Squeezed(), nn.Flatten())},
            "images",
            "also takes a batch of one sample. Got Sequential .* takes two samples, and of one it "
            "says: .* A squeeze",
        ),
        ({"module": Softmax}, "images", "look like probabilities.* Remove the softmax"),
        ({"module": int}, "images", "a name or a torch.nn.Module class or instance"),
        ({"module": nn.Conv2d}, "images", "a module that can be built with .* module_params"),
        ({"module_params": {"width": -1}}, "images", "Its constructor says"),
        ({"optimizer_params": {"foo": 1}}, "images", "'optimizer__foo' .* setting of SGD, which"),
        ({"optimizer_params": {"lr": 1}}, "images", "'optimizer__lr' .* own parameter lr"),
        ({"weights": __file__}, "images", "Reading it failed"),
        ({"callbacks": ["x"]}, "images", "a list of skorch callbacks"),
        ({"input_shape": ("a", 8)}, "rows", "\\(H, W\\), .* all positive ints"),
        ({"net_params": {"iterator_train": int}}, "images", "'net__iterator_train' parameter"),
        ({"net_params": {"criterion__weight": 1}}, "images", "weigh with class_weight"),
        ({"device": "gpu"}, "images", "must be 'auto' or a torch device"),
        ({"classes": 3}, "images", "a list of all classes, or None. Got 3 .* pass range\\(10\\)"),
        ({"lr": -1}, "images", "'lr' parameter of CNNClassifier must be a float in the range"),
    ],
)
def test_settings_that_cannot_be_used(params, X, match):
    X = np.zeros((9, 8, 8) if X == "images" else (9, 4))
    with pytest.raises(ValueError, match=match):
        make(**params).fit(X, np.arange(9) % 3)


def test_an_instance_is_copied_and_starts_each_fit_from_its_weights(data):
    X, y = data
    network = Net()
    network(torch.zeros(1, 1, 10, 10))
    before = copy.deepcopy(network.state_dict())
    clf = make(network).fit(X, y)
    once = copy.deepcopy(clf.module_.state_dict())
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.values(), network.state_dict().values(), strict=True)
    )
    again = clf.fit(X, y).module_.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(once.values(), again.values(), strict=True))


def test_lazy_layers_find_their_sizes(data):
    assert make(Net, max_epochs=8).fit(*data).score(*data) > 0.8


def test_outputs_of_several_parts(data):
    class Named(dict):
        pass

    class Result:
        def __init__(self, logits):
            self.logits = logits

    class Several(Net):
        def __init__(self, kind):
            super().__init__()
            self.kind = kind

        def forward(self, x):
            logits = super().forward(x)
            return {"tuple": (x, logits), "dict": Named(logits=logits), "object": Result(logits)}[
                self.kind
            ]

    p = make(Net, output=None).fit(*data).predict_proba(data[0])
    for kind, output in [
        ("tuple", 1),
        ("tuple", lambda out: out[1]),
        ("dict", "logits"),
        ("object", "logits"),
    ]:
        clf = make(Several, module_params={"kind": kind}, output=output).fit(*data)
        np.testing.assert_array_equal(clf.predict_proba(data[0]), p)
    with pytest.raises(ValueError, match="'output' parameter .* returns a tuple.* Pass output=0"):
        make(Several, module_params={"kind": "tuple"}).fit(*data)


def test_a_frozen_backbone_stays_frozen(data):
    backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    backbone.requires_grad_(False)
    head = nn.Sequential(nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(3))
    network = nn.Sequential(backbone, head)
    network.eval()(torch.zeros(1, 1, 10, 10))
    before = copy.deepcopy(backbone.state_dict())
    clf = make(network, max_epochs=3).fit(*data)
    fitted = clf.module_.network
    for a, b in zip(before.values(), fitted[0].state_dict().values(), strict=True):
        assert torch.equal(a, b)  # the running statistics, too
    assert not any(p.requires_grad for p in fitted[0].parameters())
    assert fitted[1][0].num_batches_tracked == 9  # 3 epochs of 3 batches
    with pytest.raises(ValueError, match="something to train"):
        make(network.requires_grad_(False)).fit(*data)


def test_a_frozen_batch_norm_without_parameters_stays_frozen(data):
    backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, affine=False))
    backbone.requires_grad_(False)
    network = nn.Sequential(backbone, nn.Flatten(), nn.LazyLinear(3))
    network.eval()(torch.zeros(1, 1, 10, 10))
    clf = make(network).fit(*data)
    assert clf.module_.network[0][1].num_batches_tracked == 0


def test_an_augmentation_that_is_a_module_is_no_part_of_the_network(data):
    X, y = data
    augment = nn.Sequential(nn.Identity(), nn.Dropout(0.5)).eval()
    clf = make(augment=augment).fit(X.astype(np.float32), y)
    assert not any("augmentation" in name for name, _ in clf.module_.named_modules())
    assert not augment.training
    plain = make().fit(X.astype(np.float32), y)
    assert not np.array_equal(clf.predict_proba(X.astype(float)), plain.predict_proba(X * 1.0))


@pytest.mark.parametrize("optimizer", [torch.optim.LBFGS, torch.optim.Rprop])
def test_optimizers_without_weight_decay(data, optimizer):
    make(optimizer=optimizer, lr=0.01).fit(*data)


def test_batch_norm_on_one_value_a_channel(data):
    with pytest.raises(ValueError, match="BatchNorm cannot train on a batch that holds one value"):
        make("resnet18", module_params={"width": 4}, channels="first").fit(
            np.zeros((1, 3, 8, 8)), [0]
        )


def test_weights_from_a_file(tmp_path, data):
    clf = make().fit(*data)
    torch.save(clf.module_.network.state_dict(), tmp_path / "w.pt")
    torch.save(clf.module_.state_dict(), tmp_path / "whole.pt")
    with pytest.raises(ValueError, match="Of a fitted CNNClassifier, save module_.network"):
        make(weights=str(tmp_path / "whole.pt")).fit(*data)
    torch.save(torch.zeros(2), tmp_path / "tensor.pt")
    with pytest.raises(ValueError, match="a mapping of tensors"):
        make(weights=str(tmp_path / "tensor.pt")).fit(*data)
    again = make(weights=str(tmp_path / "w.pt"), lr=1e-12, random_state=1).fit(*data)
    for a, b in zip(clf.module_.parameters(), again.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.slow
def test_torchvision_networks_with_weights_from_a_file(tmp_path):
    from torchvision import models

    torch.manual_seed(0)
    pretrained = models.resnet18(weights=None)
    torch.save(pretrained.state_dict(), tmp_path / "w.pt")
    network = build("torchvision/resnet18", GREY, weights=tmp_path / "w.pt")
    assert network.fc.out_features == 10
    torch.testing.assert_close(
        network.conv1.weight[:, 0], pretrained.conv1.weight.sum(1), rtol=1e-5, atol=1e-6
    )
    assert torch.equal(network.layer4[1].conv2.weight, pretrained.layer4[1].conv2.weight)
    # grey images give what RGB images of three equal channels give, up to the head
    x = torch.rand(2, 1, 64, 64)
    network.fc = pretrained.fc = nn.Identity()
    torch.testing.assert_close(
        network.eval()(x), pretrained.eval()(x.expand(2, 3, 64, 64)), rtol=1e-3, atol=1e-4
    )
    with pytest.raises(ValueError, match="'weights' parameter of a test must be weights of"):
        build("torchvision/resnet34", GREY, weights=tmp_path / "w.pt")
    X = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    clf = make("torchvision/mobilenet_v3_small").fit(X, np.arange(8) % 2)
    assert clf.predict_proba(X).shape == (8, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvision_networks_with_auxiliary_heads(name):
    X = np.random.default_rng(0).integers(0, 256, (4, 3, 80, 80), dtype=np.uint8)
    assert make(f"torchvision/{name}").fit(X, [0, 1, 0, 1]).predict(X).shape == (4,)
    with pytest.raises(ValueError, match="arguments that torchvision's googlenet takes"):
        make("torchvision/googlenet", module_params={"wide": 1}).fit(X, [0, 1, 0, 1])


def test_torchvision_weights_by_name(monkeypatch):
    from torchvision import models

    asked = []
    state = models.resnet18(weights=None).state_dict()
    monkeypatch.setattr(
        models.ResNet18_Weights,
        "get_state_dict",
        lambda self, **kwargs: asked.append(self.name) or state,
    )
    network = build("torchvision/resnet18", RGB, weights="DEFAULT")
    assert asked == ["IMAGENET1K_V1"]
    assert torch.equal(network.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize(
    ("kind", "output", "held"),
    [
        ("dict", "logit", r"a dict of \['logits'\]"),
        ("dict", 0, r"a dict of \['logits'\]"),
        ("tuple", 2, "a tuple of 2"),
        ("tuple", "logits", "a tuple of 2"),
        ("tensor", "logits", "a Tensor.* Leave output=None"),
    ],
)
def test_an_output_that_is_not_there(data, kind, output, held):
    class Several(Net):
        def forward(self, x):
            logits = super().forward(x)
            return {"dict": {"logits": logits}, "tuple": (x, logits), "tensor": logits}[kind]

    with pytest.raises(InvalidParameterError, match=f"'output' .* the module returns, {held}"):
        make(Several, output=output).fit(*data)


def test_a_function_that_returns_the_same_network_each_time(data):
    """Each fit trained the network of the one before, and began with its weights."""
    X, y = data
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Net()
        network(torch.zeros(1, 1, *X.shape[1:]))
    before = copy.deepcopy(network.state_dict())
    first = make(lambda: network).fit(X, y)
    p = first.predict_proba(X)
    second = make(lambda: network).fit(X, y)
    np.testing.assert_array_equal(second.predict_proba(X), p)
    np.testing.assert_array_equal(first.predict_proba(X), p)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_complex_buffers_stay_complex(data):
    """The conversion to float32 took their imaginary part away."""

    class Turned(Net):
        def __init__(self, n_classes=3):
            super().__init__(n_classes)
            turn = torch.polar(torch.ones(2), torch.tensor([0.0, 1.0])).to(torch.complex128)
            self.register_buffer("turn", turn)

        def forward(self, x):
            return super().forward((x * self.turn[1]).imag)

    clf = make(Turned).fit(*data)
    turn = clf.module_.network.turn
    assert turn.dtype == torch.complex64
    np.testing.assert_allclose(turn, np.exp([0, 1j]), rtol=1e-6)
    rows = data[0].reshape(len(data[0]), -1).astype(np.float64)

    class TurnedRows(nn.Linear):
        def __init__(self, in_features, num_classes):
            super().__init__(in_features, num_classes)
            self.register_buffer("turn", torch.ones(1, dtype=torch.complex64) * 1j)

    assert make(TurnedRows).fit(rows, data[1]).module_.network.turn.dtype == torch.complex128


def test_networks_that_cannot_be_copied(data):
    pruned = Net()
    pruned(torch.zeros(1, 1, *data[0].shape[1:]))
    prune.l1_unstructured(pruned[0], "weight", 0.5)
    embedder = Embedder(pruned, device="cpu")
    for call in (lambda: make(pruned).fit(*data), lambda: embedder.transform(data[0])):
        with pytest.raises(InvalidParameterError, match=r"can be copied.*utils\.prune\.remove"):
            call()
    prune.remove(pruned[0], "weight")
    make(pruned).fit(*data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(pruned, torch.zeros(2, 1, *data[0].shape[1:]))
    embedder = Embedder(scripted, device="cpu")
    for call in (lambda: make(scripted).fit(*data), lambda: embedder.transform(data[0])):
        with pytest.raises(InvalidParameterError, match=r"a network in Python.* of torch\.jit"):
            call()


def test_the_input_layer_of_another_classifier(data):
    fitted = make(Net).fit(*data)
    with pytest.raises(InvalidParameterError, match=r"input layer.* Pass module_\.network\."):
        make(fitted.module_).fit(*data)
    make(fitted.module_.network).fit(*data)


# -- networks that are on a device already ---------------------------------------------------


def here():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(100, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


class There(nn.Sequential):
    def __init__(self):
        super().__init__(*here())
        self.to("meta")


@pytest.mark.parametrize("kind", ["instance", "function", "class", "the same each time"])
def test_a_network_that_is_on_a_device_comes_to_the_cpu(kind, data):
    expected = make(here).fit(*data).predict_proba(data[0])
    with pretended():
        own = There()
        before = {name: values.cpu() for name, values in own.state_dict().items()}
        module = {
            "instance": own,
            "function": lambda: here().to("meta"),
            "class": There,
            "the same each time": lambda: own,
        }[kind]
        found = make(module).fit(*data).predict_proba(data[0])
        for name, values in own.state_dict().items():  # the user's stays
            assert values.device.type == "meta"
            assert torch.equal(values.cpu(), before[name])
    np.testing.assert_array_equal(found, expected)


def test_a_network_without_values():
    with pytest.raises(InvalidParameterError, match=r"'module' .* whose parameters have values. "):
        build(nn.Linear(784, 10, device="meta"), GREY)


def test_rows_are_float32_where_a_device_has_no_float64(monkeypatch):
    X = np.random.default_rng(0).normal(size=(30, 4))
    y = np.arange(30) % 3
    expected = make(max_epochs=2).fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    monkeypatch.setattr(_training_data, "NO_FLOAT64", {"cpu"})
    clf = make(max_epochs=2, warm_start=True).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
    clf.partial_fit(X, y)
    assert {p.dtype for p in clf.module_.parameters()} == {torch.float32}
