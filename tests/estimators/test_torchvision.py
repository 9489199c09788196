"""torchvision's networks: whatever weights they are given, what torchvision's own builders make."""

import re
from collections import OrderedDict
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from skactive import CNNClassifier
from skactive.estimators._inputs import InputFormat
from skactive.estimators._torchvision import torchvision_network

RGB = InputFormat((3, 96, 96), "CHW", (3, 96, 96), integer=True)
GREY = InputFormat((96, 96), "HW", (96, 96), integer=True)
NAMES = models.list_models(module=models)
AUX = ("googlenet", "inception_v3")


DRAWS = (torch.Tensor.normal_, torch.Tensor.uniform_, nn.init.kaiming_uniform_)


class OnMeta(TorchFunctionMode):
    """Puts parameters on the meta device; sizes that builders compute with stay on the CPU.

    Weights are not drawn: on the meta device that does nothing, and takes long.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in DRAWS:
            return args[0] if args else kwargs["tensor"]
        made = func in (torch.empty, torch.zeros, torch.ones, torch.full, torch.randn)
        return func(*args, **{**(kwargs or {}), **({"device": "meta"} if made else {})})


def build(name, form=RGB, n_classes=7, params=None, weights=None):
    return torchvision_network(
        f"torchvision/{name}", form, n_classes, params or {}, weights, "test"
    )


def published(name, **params):
    """A state dict as torchvision publishes them: auxiliary heads, and old keys of DenseNets."""
    if name in AUX:
        params["init_weights"] = False
    network = models.get_model(name, weights=None, **params)
    state = network.state_dict()
    if name.startswith("densenet"):
        state = OrderedDict(  # from before batches were counted, and modules had versions
            (re.sub(r"(denselayer\d+\.(norm|relu|conv))([12])", r"\1.\3", key), value)
            for key, value in state.items()
            if not key.endswith("num_batches_tracked")
        )
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    return state


def serve(name, state, monkeypatch):
    """Have torchvision find a state dict under every name of a network's weights."""
    enum = models.get_model_weights(name)

    def copied(self, **kwargs):
        own = OrderedDict(state)
        own._metadata = getattr(state, "_metadata", None)
        return own

    monkeypatch.setattr(enum, "get_state_dict", copied)
    return enum["DEFAULT"]


def head_of(network):
    found = [n for n, m in network.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return found[-1]


def without_aux(network):
    for name in ("aux1", "aux2", "AuxLogits"):
        if hasattr(network, name):
            network.aux_logits = False
            setattr(network, name, None)
    return network


def same_but_the_head(ours, theirs, n_classes=7):
    head = head_of(theirs)
    assert len(ours.get_submodule(head).weight) == n_classes
    assert type(ours.get_submodule(head)) is type(theirs.get_submodule(head))
    a, b = ours.state_dict(), theirs.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        if key.startswith(head):
            continue
        assert a[key].shape == b[key].shape, key
        assert b[key].is_meta or torch.equal(a[key], b[key]), key
    assert getattr(ours, "transform_input", None) == getattr(theirs, "transform_input", None)
    skip = re.compile(rf"^.*\({head.rpartition('.')[2]}\).*$", re.MULTILINE)
    assert skip.sub("", repr(ours)) == skip.sub("", repr(theirs))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_what_torchvisions_builder_makes(name, monkeypatch):
    """Weights went around the builders (vision#474, vision#1709); here by name and as a state."""
    with OnMeta():
        size = {"image_size": models.get_model_weights(name)["DEFAULT"].meta["min_size"][0]}
        state = published(name, **(size if name.startswith("vit") else {}))
        member = serve(name, state, monkeypatch)
        theirs = without_aux(models.get_model(name, weights=member))
        for weights in ("DEFAULT", state):
            ours = build(name, weights=weights)
            same_but_the_head(ours, theirs)
            assert all(p.is_meta for p in ours.parameters())


SMALL = ["densenet121", "googlenet", "inception_v3", "mnasnet0_5", "resnet18", "squeezenet1_1"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_outputs_and_weights(name, monkeypatch, tmp_path):
    torch.manual_seed(0)
    state = published(name)
    member = serve(name, state, monkeypatch)
    torch.save(state, tmp_path / "w.pth")
    theirs = without_aux(models.get_model(name, weights=member)).eval()
    x = torch.rand(2, 3, 96, 96)
    head = head_of(theirs)
    for weights in ("DEFAULT", member, repr(member), state, tmp_path / "w.pth"):
        ours = build(name, weights=weights).eval()
        same_but_the_head(ours, theirs)
        ours.get_submodule(head).load_state_dict(
            {key: value[:7] for key, value in theirs.get_submodule(head).state_dict().items()}
        )
        torch.testing.assert_close(ours(x), theirs(x)[:, :7], rtol=1e-4, atol=1e-5)
        assert ours.training is False
    # with as many classes as the weights have, the last layer is theirs too
    whole = build(name, n_classes=1000, weights=state).eval()
    torch.testing.assert_close(whole(x), theirs(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_what_a_fitted_network_has_saved_goes_back(name, tmp_path):
    """Without auxiliary heads, with a head of its own; plain dicts of tensors only where it can."""
    torch.manual_seed(0)
    ours = build(name, n_classes=5, weights=published(name)).eval()
    torch.save(ours.state_dict(), tmp_path / "w.pth")
    for n_classes in (5, 7):
        again = build(name, n_classes=n_classes, weights=tmp_path / "w.pth").eval()
        x = torch.rand(2, 3, 96, 96)
        if n_classes == 5:
            torch.testing.assert_close(again(x), ours(x))
        same_but_the_head(again, ours, n_classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_where_three_are_transformed(name, channels):
    """Equal channels give what three of them give, as for every other network."""
    torch.manual_seed(0)
    state = published(name)
    theirs = build(name, n_classes=1000, weights=state).eval()
    form = InputFormat((channels, 96, 96), "CHW", (channels, 96, 96), integer=True)
    ours = build(name, form, n_classes=1000, weights=state).eval()
    x = torch.rand(2, 1, 96, 96)
    torch.testing.assert_close(
        ours(x.expand(2, channels, 96, 96)), theirs(x.expand(2, 3, 96, 96)), rtol=1e-4, atol=1e-4
    )
    plain = build(name, form, n_classes=1000, params={"transform_input": False}, weights=state)
    assert plain.transform_input is False


def test_a_network_without_weights_is_torchvisions_too():
    torch.manual_seed(3)
    theirs = models.get_model("mobilenet_v3_small", weights=None, num_classes=7)
    torch.manual_seed(3)
    ours = build("mobilenet_v3_small")
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


OTHERS = sorted(set(models.list_models()) - set(NAMES))


@pytest.mark.parametrize("name", OTHERS)
def test_networks_that_do_not_classify_images_are_refused_by_name(name):
    with pytest.raises(
        ValueError, match=f"one of torchvision's classification .* 'torchvision/{name}"
    ):
        build(name)


@pytest.mark.parametrize(
    "error", [URLError("no route"), TimeoutError("too long"), RuntimeError("invalid hash value")]
)
def test_weights_that_cannot_be_downloaded(error, monkeypatch):
    """One line: where torchvision looks, where the file comes from, and what to do."""

    def fails(self, **kwargs):
        raise error

    member = models.ResNet18_Weights.DEFAULT
    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", fails)
    X = np.zeros((4, 32, 32, 3), np.uint8)
    clf = CNNClassifier("torchvision/resnet18", weights="DEFAULT", max_epochs=1, device="cpu")
    with pytest.raises(ValueError, match="'weights' parameter of CNNClassifier") as caught:
        clf.fit(X, [0, 1, 0, 1])
    text = str(caught.value)
    for part in ("checkpoints, or can download", "'DEFAULT'", str(error), member.url, "its path"):
        assert part in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "weights", "match"),
    [
        ("resnet18", "IMAGENET1K_V9", r"for resnet18: 'IMAGENET1K_V1', 'DEFAULT'\. Got 'IMAGE"),
        ("resnet18", "nowhere.pth", "no such file or name"),
        ("resnet18", {}, "a state dict, a mapping of tensors"),
        ("resnet18", {"model": {}, "epoch": 3}, r"keys \['model', 'epoch'\] .* torch.load\(path\)"),
        ("resnet18", {"fc.weight": torch.zeros(5, 512)}, "must be weights of torchvision/resnet18"),
        ("resnet18", {"stem.weight": torch.zeros(5)}, "must be weights of torchvision/resnet18"),
        ("resnet18", models.ResNet34_Weights.DEFAULT, "no such file or name"),
    ],
)
def test_weights_of_something_else(name, weights, match):
    with pytest.raises(ValueError, match=match):
        build(name, weights=weights)


def test_arguments_that_weights_do_not_go_with(monkeypatch):
    serve("vit_b_32", published("resnet18"), monkeypatch)
    with OnMeta(), pytest.raises(ValueError, match="vit_b_32 takes together with weights.*image_s"):
        build("vit_b_32", params={"image_size": 96}, weights="DEFAULT")


def test_a_transformers_weights_for_another_size_of_images():
    with OnMeta():
        state = published("vit_b_32", image_size=96)
        assert build("vit_b_32", weights=state).image_size == 96


def test_a_state_dict_as_a_parameter():
    """As it is, in clones and in warm starts; it is not changed."""
    state = models.mobilenet_v3_small(weights=None).state_dict()
    before = {key: value.clone() for key, value in state.items()}
    X = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    clf = CNNClassifier(
        "torchvision/mobilenet_v3_small",
        weights=state,
        warm_start=True,
        max_epochs=1,
        lr=1e-12,
        device="cpu",
    )
    clf = clone(clf).fit(X, [0, 1, 0, 1]).fit(X, [0, 1, 0, 1])
    layer = "features.0.0.weight"
    torch.testing.assert_close(clf.module_.network.state_dict()[layer], state[layer])
    assert before.keys() == state.keys()
    assert all(torch.equal(before[key], state[key]) for key in before)
    other = {**before, layer: before[layer] + 1}
    with pytest.raises(ValueError, match="'weights' parameter .* as at the first fit"):
        clf.set_params(weights=other).fit(X, [0, 1, 0, 1])
