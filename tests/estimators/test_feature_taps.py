"""Which layers a loss-prediction module reads, on skactive's networks and on anyone else's."""

import numpy as np
import pytest
import torch
from torch import nn

from skactive import LPLClassifier
from tests.cases import ConvNeXtBlock, SmallViT


def fit(module="auto", X=None, **params):
    X = images() if X is None else X
    params = {"max_epochs": 1, "random_state": 0, "device": "cpu", **params}
    return LPLClassifier(module, **params).fit(X, np.arange(len(X)) % 3)


def images(n=9, size=16):
    return np.random.default_rng(0).integers(0, 256, (n, size, size), dtype=np.uint8)


def sequential(*, inplace=False):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


class OneReLU(nn.Module):
    """Calls one ReLU everywhere, as many networks do."""

    def __init__(self, num_classes=3):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, 2, padding=1)
        self.relu, self.spare = nn.ReLU(), nn.Conv2d(1, 1, 1)
        self.fc = nn.Linear(6, num_classes)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.fc(self.relu(self.conv2(x)).mean((2, 3)))


class ChannelsLast(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, stride=4)
        self.mix = nn.Linear(4, 5)
        self.fc = nn.Linear(5, num_classes)

    def forward(self, x):
        x = self.mix(self.conv(x).permute(0, 2, 3, 1))  # (n, 4, 4, 5)
        return self.fc(torch.relu(x).mean((1, 2)))


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("small_cnn", (16, 32, 64)),
        ("resnet18_narrow", (16, 32, 64, 128)),
        ("vgg11", (8, 16, 32, 64, 64)),
    ],
)
def test_the_stages_of_our_networks(name, channels):
    params = {"module_params": {"width": 8}} if name == "vgg11" else {}
    clf = fit(name, **params)
    assert clf.feature_layers_ == [f"stages.{i}" for i in range(len(channels))]
    assert clf.net_.taps.channels == channels


@pytest.mark.parametrize(
    ("module", "layers", "channels"),
    [
        # the average pool's output is the average of the map before it: no layer of its own
        (sequential(), ["2", "5"], (4, 6)),
        (sequential(inplace=True), ["2", "5"], (4, 6)),
        (OneReLU, ["conv1", "relu"], (4, 6)),
        (ChannelsLast, ["mix"], (5,)),
        (
            nn.Sequential(
                nn.Conv2d(1, 4, 2, stride=2),
                ConvNeXtBlock(4),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(4, 3),
            ),
            ["1"],
            (4,),
        ),
        # a convolution makes the logits, whose average is not a feature
        (
            nn.Sequential(
                nn.Conv2d(1, 4, 3),
                nn.ReLU(),
                nn.Conv2d(4, 3, 3),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            ),
            ["1"],
            (4,),
        ),
        # flat features only: neither the raw pixels nor the logits are a feature
        (
            nn.Sequential(
                nn.Flatten(),
                nn.Linear(256, 8),
                nn.ReLU(),
                nn.Linear(8, 5),
                nn.ReLU(),
                nn.Linear(5, 3),
            ),
            ["2", "4"],
            (8, 5),
        ),
    ],
    ids=["sequential", "in place", "one ReLU", "channels last", "ConvNeXt", "conv head", "flat"],
)
def test_layers_are_found_on_other_networks(module, layers, channels):
    clf = fit(module)
    assert clf.feature_layers_ == layers
    assert clf.net_.taps.channels == channels
    assert clf.predict_loss(images()).shape == (9,)


def test_token_sequences():
    clf = fit(SmallViT, images(size=8))
    assert clf.feature_layers_ == ["patch", "encoder"]  # a map of 2×2, and 5 tokens
    assert clf.net_.taps.axes == {"patch": 1, "encoder": -1}
    named = fit(SmallViT, images(size=8), feature_layers=["encoder"])
    assert named.net_.taps.channels == (8,)


@pytest.mark.parametrize("name", ["resnet18", "swin_t"])
def test_torchvisions_networks(name):
    X = np.random.default_rng(0).integers(0, 256, (6, 3, 64, 64), dtype=np.uint8)
    clf = fit(f"torchvision/{name}", X, lr=1e-3)
    layers = {
        "resnet18": {"relu": 1, "layer1": 1, "layer2": 1, "layer3": 1, "layer4": 1},
        "swin_t": {"features.1": -1, "features.3": -1, "features.5": -1, "permute": 1},
    }[name]
    assert clf.net_.taps.axes == layers
    widths = {"resnet18": (64, 64, 128, 256, 512), "swin_t": (96, 192, 384, 768)}[name]
    assert clf.net_.taps.channels == widths


def test_rows():
    X = np.random.default_rng(0).normal(size=(12, 5))
    clf = fit(X=X, module_params={"width": 7, "dropout": 0.5})  # what is left is not a feature
    assert clf.feature_layers_ == ["hidden"]
    assert clf.net_.taps.channels == (7,)
    assert {p.dtype for p in clf.loss_module_.parameters()} == {torch.float64}


def test_layers_by_name_are_averages_of_what_they_return():
    clf = fit(sequential(inplace=True), feature_layers=["1", "0"])
    assert clf.feature_layers_ == ["1", "0"]
    network, x = clf.module_.network, torch.randn(4, 1, 16, 16)
    logits, (after, before) = clf.net_.taps.run(network, lambda: network(x))
    expected = network[0](x)
    torch.testing.assert_close(before, expected.mean((2, 3)))
    torch.testing.assert_close(after, network[1](expected).mean((2, 3)))  # not yet overwritten
    torch.testing.assert_close(logits, network(x))
    assert not any(layer._forward_hooks for layer in network.modules())


def test_flat_features_by_name_are_not_those_that_became_of_them():
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(256, 8), nn.ReLU(inplace=True), nn.Linear(8, 5), nn.Linear(5, 3)
    )
    clf = fit(net, feature_layers=["1", "2"])
    network, x = clf.module_.network, torch.randn(4, 1, 16, 16)
    _, (before, after) = clf.net_.taps.run(network, lambda: network(x))
    torch.testing.assert_close(before, network[1](x.flatten(1)))
    torch.testing.assert_close(after, before.relu())
    assert before.min() < 0


def test_hooks_go_also_after_an_exception():
    clf = fit(sequential())

    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clf.net_.taps.run(clf.module_.network, broken)
    assert not any(layer._forward_hooks for layer in clf.module_.network.modules())


def test_finding_layers_leaves_the_network_as_it_was():
    """The examples that run through must not reach running statistics or the weights' gradients."""
    module = sequential()
    clf = fit(module, lr=1e-12, weight_decay=0)
    for before, after in zip(module.parameters(), clf.module_.network.parameters(), strict=True):
        torch.testing.assert_close(before, after, atol=1e-8, rtol=0)
    assert clf.module_.network[1].num_batches_tracked == 1  # one batch of training


@pytest.mark.parametrize(
    ("module", "layers", "match"),
    [
        (
            OneReLU,
            ["conv3"],
            "'feature_layers' parameter of LPLClassifier must be names of "
            "submodules of OneReLU. Got 'conv3' instead. Near it are conv2, conv1",
        ),
        (OneReLU, ["xyz"], "There are conv1, conv2, relu, spare, fc."),
        (OneReLU, [3], "names of submodules of OneReLU. Got 3 instead"),
        (
            OneReLU,
            ["spare"],
            "names of layers that run and return maps .* Got 'spare' instead. "
            "This layer does not. Name another",
        ),
        (OneReLU, [], "None, or a list of different names, at least one. Got \\[\\]"),
        (OneReLU, ["relu", "relu"], "a list of different names"),
        (OneReLU, "relu", "'feature_layers' parameter of LPLClassifier must be an instance of"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(256, 3)),
            None,
            "'module' parameter of "
            "LPLClassifier must be a network with layers before the last one that return maps .* "
            "Got Sequential instead. Choose another module, or name layers",
        ),
    ],
)
def test_layers_that_cannot_be_used(module, layers, match):
    with pytest.raises(ValueError, match=match):
        fit(module, feature_layers=layers)


def test_attention_returns_a_tuple():
    match = "Got 'encoder.self_attn' instead. This layer does not"
    with pytest.raises(ValueError, match=match):
        fit(SmallViT, images(size=8), feature_layers=["encoder.self_attn"])


def test_tokens_that_come_before_the_samples():
    class Folded(nn.Module):
        def __init__(self, num_classes=3):
            super().__init__()
            self.each, self.fc = nn.Linear(16, 4), nn.Linear(4, num_classes)

        def forward(self, x):
            return self.fc(self.each(x[:, 0].transpose(0, 1)).mean(0))

    with pytest.raises(ValueError, match="with the samples on the first axis. Got 'each'"):
        fit(Folded, feature_layers=["each"])


def test_a_layer_that_does_not_run_for_every_batch():
    class Sometimes(OneReLU):
        def forward(self, x):
            if self.training:
                return super().forward(x)
            return self.fc(torch.relu(self.conv2(self.conv1(x))).mean((2, 3)))

    clf = fit(Sometimes, feature_layers=["conv2"])
    taps = clf.net_.taps
    object.__setattr__(taps, "axes", {"relu": 1})
    with pytest.raises(RuntimeError, match=r"\['relu'\] of Sometimes.*did not run. Name layers in"):
        clf.predict_loss(images())


class Staged(nn.Module):
    """Says with `stages` which of its layers are to be read."""

    def __init__(self, num_classes=3, kind=nn.Sequential):
        super().__init__()
        self.stages = kind(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1))
        self.late, self.fc = nn.Conv2d(6, 8, 3, padding=1), nn.Linear(8, num_classes)

    def forward(self, x):
        for stage in self.stages:
            x = torch.relu(stage(x))
        return self.fc(self.late(x).mean((2, 3)))


def listed(*layers):
    return nn.ModuleList(layers)


@pytest.mark.parametrize("kind", [nn.Sequential, listed])
def test_a_network_that_says_what_its_stages_are(kind):
    clf = fit(Staged, module_params={"kind": kind})
    assert clf.feature_layers_ == ["stages.0", "stages.1"]  # both are maps of one size
    assert clf.net_.taps.channels == (4, 6)
    named = fit(Staged, feature_layers=["late"])
    assert named.feature_layers_ == ["late"]


class OtherStages(Staged):
    """Has something else of that name."""

    def __init__(self, num_classes=3, stages=()):
        super().__init__(num_classes)
        self.blocks = self.stages
        del self.stages
        self.stages = stages

    def forward(self, x):
        return self.fc(self.late(self.blocks(x)).mean((2, 3)))


@pytest.mark.parametrize(
    "stages", [(), 4, nn.Sequential(), nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))]
)
def test_stages_that_are_none(stages):
    """They are no stages, or do not run: the layers are looked for."""
    assert fit(OtherStages, module_params={"stages": stages}).feature_layers_ == ["late"]


def test_without_stages_or_layers_to_find():
    with pytest.raises(ValueError, match="name layers that can be read in feature_layers="):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(256, 3)))
