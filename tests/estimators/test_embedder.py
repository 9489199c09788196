"""Embedder against its plain definition: prepare, run, take a layer, pool; one image at a time."""

import copy
import io
import pickle
import random
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from torch import nn
from torch.utils.data import Dataset, TensorDataset
from torchvision import models
from tqdm import tqdm

from skactive import CNNClassifier, Embedder, Margin, TypiClust, _progress
from skactive.exceptions import InvalidParameterError, UnreadableFileError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Net(nn.Module):
    """A body with BatchNorm and dropout, and a head."""

    def __init__(self, n_channels=3, n_classes=4):
        super().__init__()
        self.conv = nn.Conv2d(n_channels, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(5, n_classes)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        return self.fc(self.drop(x.mean((2, 3))))


class Tokens(nn.Module):
    """Returns tokens (n, T, D), in a tuple."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 4, stride=4)

    def forward(self, x):
        return self.patch(x).flatten(2).transpose(1, 2), None


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make()
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
    return network


@pytest.fixture
def net():
    return seeded(Net)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 12, 10, 3), dtype=np.uint8)


def standardised(image):
    """One image (H, W, 3), uint8, as ImageNet's networks take it."""
    x = torch.from_numpy(image).permute(2, 0, 1).double() / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def by_hand(net, images):
    """The input of Net's last layer, image by image, in float64."""
    net = copy.deepcopy(net).double().eval()
    rows = []
    for image in images:
        x = net.norm(net.conv(standardised(image)[None])).relu()
        rows.append(x.mean((2, 3))[0])
    return torch.stack(rows).detach().numpy()


def close(found, wanted):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


# -- what is read ----------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_input_of_the_last_layer(net, images, batch_size):
    found = Embedder(net, batch_size=batch_size, device="cpu").transform(images)
    close(found, by_hand(net, images))


class Views(Net):
    """Looks at its maps as rows by Tensor.view, which takes them in one layout alone."""

    def forward(self, x):
        maps = self.norm(self.conv(x)).relu()
        return self.fc(self.drop(maps.view(*maps.shape[:2], -1).mean(2)))


@pytest.mark.parametrize("layer", [None, "drop"])
def test_layouts_of_maps(net, images, layer):
    module = Views()
    module.load_state_dict(net.state_dict())
    embedder = Embedder(module, device="cpu", layer=layer)
    for some in (images, images[:1]):
        close(embedder.transform(some), by_hand(net, some))


def test_convolutions_see_channels_last(images):
    class Sees(Net):
        layouts: ClassVar[list] = []

        def forward(self, x):
            self.layouts.append(x.is_contiguous(memory_format=torch.channels_last))
            return super().forward(x)

    Embedder(Sees(), device="cpu", layer="drop", batch_size=3).transform(images)
    assert Sees.layouts == [True] * 3


def test_layers_by_name(net, images):
    x = torch.stack([standardised(image) for image in images]).float()
    plain = copy.deepcopy(net).eval()
    with torch.no_grad():
        maps = plain.conv(x)
        logits = plain(x)
    close(Embedder(net, layer="conv", device="cpu").transform(images), maps.mean((2, 3)))
    close(Embedder(net, layer="fc", device="cpu").transform(images), logits)
    close(Embedder(net, layer="", device="cpu").transform(images), logits)


class Overwrites(nn.Module):
    """Overwrites what each of its layers returned or read, as networks do to save memory."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.fc, self.tokens, self.head = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        maps = self.conv(x)
        x = self.norm(maps).relu_()
        x += maps
        flat = self.fc(x.mean((2, 3)))
        tokens = self.tokens(nn.functional.relu(flat, inplace=True)[:, None])
        tokens.sigmoid_()
        out = self.head(tokens[:, 0])
        tokens.zero_()
        return out


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("layer", ["conv", "norm", "fc", "tokens", None])
def test_what_a_layer_returned_not_what_became_of_it(images, layer, pooling):
    net = seeded(Overwrites).eval()
    x = torch.stack([standardised(image) for image in images]).float()
    with torch.no_grad():
        maps = net.conv(x)
        norm = net.norm(maps)
        fc = net.fc((norm.relu() + maps).mean((2, 3)))
        tokens = net.tokens(fc.relu())
    read = {"conv": maps.mean((2, 3)), "norm": norm.mean((2, 3)), "fc": fc, "tokens": tokens}
    wanted = read[layer] if layer else tokens.sigmoid()
    close(Embedder(net, layer=layer, pooling=pooling, device="cpu").transform(images), wanted)


class ChannelsLast(nn.Module):
    """Has the channels on the last axis between its layers, as Swin."""

    def __init__(self, width):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, width, 3, 3), nn.LayerNorm(width)
        self.mix, self.block = nn.Linear(width, width), nn.Sequential(nn.Linear(width, width))
        self.back, self.head = nn.BatchNorm2d(width), nn.Linear(width, 4)

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1)
        x = self.back(self.block(self.mix(self.norm(x))).permute(0, 3, 1, 2))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("layer", ["patch", "norm", "mix", "block", "back"])
@pytest.mark.parametrize("width", [4, 7, 16])  # of the first, the maps are 4 × 4 × 4
@pytest.mark.parametrize("size", [(12, 12), (12, 21)])
def test_maps_with_their_channels_first_or_last(images, layer, width, size):
    net = seeded(lambda: ChannelsLast(width)).eval()
    seen = {}
    hook = net.get_submodule(layer).register_forward_hook(lambda _, a, out: seen.update(out=out))
    x = torch.rand(3, 3, *size)
    with torch.no_grad():
        net(x)
    hook.remove()
    found = Embedder(net, layer=layer, normalize=None, device="cpu").transform(x)
    if layer == "block" and width == size[0] // 3 == size[1] // 3:
        assert found.shape == (3, width)  # a container, and no axis differs: the first is taken
        return
    axes = (2, 3) if layer in ("patch", "back") else (1, 2)
    close(found, seen["out"].mean(axes))


def test_swins_maps():
    net = seeded(lambda: models.swin_t(weights=None)).eval()
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        maps = net.features(x)
        wanted = {"features": maps.mean((1, 2)), "norm": net.norm(maps).mean((1, 2))}
    for layer, features in wanted.items():
        assert features.shape == (2, 768)
        close(Embedder(net, layer=layer, normalize=None, device="cpu").transform(x), features)


@pytest.mark.parametrize("end", [nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1)], ids=repr)
def test_a_classifier_is_told_by_its_output(net, images, end):
    whole = nn.Sequential(net, end)
    close(Embedder(whole, device="cpu").transform(images), by_hand(net, images))
    after = nn.Sequential(net, nn.ReLU(), nn.LayerNorm(4))  # its output is no layer's logits
    assert Embedder(after, device="cpu").transform(images).shape == (7, 4)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_tokens(images, pooling):
    net = seeded(Tokens)
    x = torch.stack([standardised(image) for image in images]).float()
    with torch.no_grad():
        tokens = net(x)[0]
    assert tokens.shape == (7, 6, 6)
    wanted = tokens.mean(1) if pooling == "mean" else tokens[:, 0]
    close(Embedder(net, pooling=pooling, device="cpu").transform(images), wanted)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_other_precision(net, images, dtype):
    found = Embedder(copy.deepcopy(net).to(dtype), device="cpu").transform(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(net, images), atol=0.05)


def test_mixed_precision(net, images):
    found = Embedder(net, amp=True, device="cpu").transform(images)
    plain = Embedder(net, device="cpu").transform(images)
    assert found.dtype == np.float32
    assert 0 < abs(found - plain).max() < 0.05


# -- containers ------------------------------------------------------------------


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_every_container_gives_the_same(net, images, tmp_path):
    wanted = by_hand(net, images)
    np.save(tmp_path / "pool.npy", images)
    files = [tmp_path / f"{i}.png" for i in range(len(images))]
    for image, file in zip(images, files, strict=True):
        Image.fromarray(image).save(file)
    pil = [Image.fromarray(image) for image in images]
    first = torch.from_numpy(images).permute(0, 3, 1, 2)
    objects = np.empty(len(pil), dtype=object)
    objects[:] = pil
    import pandas as pd

    for X in (
        images,
        (images / 255).tolist(),
        (first / 255).bfloat16(),
        np.load(tmp_path / "pool.npy", mmap_mode="r"),
        images[::-1][::-1],
        torch.from_numpy(images),
        first,
        first / 255,
        images / 255,
        (images / 255).astype(np.float16),
        list(images),
        pil,
        objects,
        files,
        tuple(map(str, files)),
        np.array(files),
        np.array(list(map(str, files))),
        pd.Series(files, index=range(50, 57)),
        [{"image": image, "label": 1} for image in pil],
        TensorDataset(first, torch.zeros(7)),
        Items([(image, 0) for image in pil]),
    ):
        found = Embedder(net, batch_size=3, device="cpu", n_jobs=2).transform(X)
        assert found.dtype == np.float32
        half = str(getattr(X, "dtype", "")) in ("float16", "torch.bfloat16")
        tolerance = 2e-2 if half else 1e-5
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=tolerance, err_msg=str(type(X)))


def test_images_of_several_sizes(net, images, tmp_path):
    rng = np.random.default_rng(0)
    pil = [Image.fromarray(rng.integers(0, 256, (9 + i, 20, 3), dtype=np.uint8)) for i in range(4)]
    files = []
    for i, image in enumerate(pil):
        files.append(tmp_path / f"{i}.png")
        image.save(files[-1])
    embedder = Embedder(net, size=(8, 8), device="cpu")
    alone = [embedder.transform([image])[0] for image in pil]
    close(embedder.transform(pil), alone)
    close(embedder.transform(files), alone)
    close(embedder.transform(np.asarray(pil[2])[None]), alone[2:3])
    with pytest.raises(InvalidParameterError, match=r"images of one size .* shapes \(3, 10, 20\)"):
        Embedder(net, device="cpu").transform(pil[1:3])


def test_grey_and_colour(images):
    grey = np.asarray(Image.fromarray(images[0]).convert("L"))
    net = seeded(Net)
    close(
        Embedder(net, device="cpu").transform(grey[None]),
        by_hand(net, np.repeat(grey[None, ..., None], 3, 3)),
    )
    alpha = np.dstack([images[0], np.zeros_like(grey)])
    close(Embedder(net, device="cpu").transform(alpha[None]), by_hand(net, images[:1]))
    one = Embedder(seeded(lambda: Net(1)), device="cpu", normalize=((0.3,), (0.2,)))
    np.testing.assert_allclose(
        one.transform(images[:1]), one.transform(grey[None]), rtol=0.01, atol=0.01
    )


def test_normalize(net, images):
    x = torch.stack([standardised(image) for image in images])
    wanted = by_hand(net, images)
    close(Embedder(net, normalize=None, device="cpu").transform(x), wanted)
    close(Embedder(net, normalize=(MEAN, STD), device="cpu").transform(images), wanted)
    with pytest.raises(
        InvalidParameterError, match=r"floats from 0 to 1.*values go from -.*Divide"
    ):
        Embedder(net, device="cpu").transform(x)
    with pytest.raises(InvalidParameterError, match="'normalize' parameter of Embedder"):
        Embedder(net, normalize=(MEAN, 0), device="cpu").transform(images)


# -- torchvision's names ---------------------------------------------------------


def test_torchvisions_names_with_weights_from_a_file(images, tmp_path):
    network = seeded(models.resnet18).eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    embedder = Embedder("torchvision/resnet18", weights=tmp_path / "w.pth", device="cpu")
    found = embedder.transform(images[:2])
    prepare = models.ResNet18_Weights.DEFAULT.transforms()
    network.fc = nn.Identity()
    with torch.no_grad():
        wanted = network(prepare(torch.from_numpy(images[:2]).permute(0, 3, 1, 2)))
    assert found.shape == (2, 512)
    close(found, wanted)
    Image.fromarray(images[0]).save(tmp_path / "0.png")
    close(embedder.transform([tmp_path / "0.png"]), wanted[:1])


def test_torchvisions_weights_by_name(images, monkeypatch):
    state = seeded(models.squeezenet1_1).state_dict()
    enum = models.SqueezeNet1_1_Weights
    monkeypatch.setattr(enum, "get_state_dict", lambda self, **kwargs: state)
    for weights in ("DEFAULT", enum.DEFAULT):
        embedder = Embedder("torchvision/squeezenet1_1", weights=weights, device="cpu")
        assert embedder.transform(images[:1]).shape == (1, 512)  # the map before the last layer


def test_weights_that_cannot_be_had(images, monkeypatch):
    def offline(self, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", offline)
    with pytest.raises(InvalidParameterError, match=r"put the file from http.* there, or pass"):
        Embedder("torchvision/resnet18", weights="DEFAULT", device="cpu").transform(images)
    with pytest.raises(InvalidParameterError, match=r"'weights' .*'DEFAULT'.* are of no use"):
        Embedder("torchvision/resnet18", device="cpu").transform(images)
    with pytest.raises(InvalidParameterError, match="'DEFAULT'.*There is no such file or name"):
        Embedder("torchvision/resnet18", weights="nope", device="cpu").transform(images)
    with pytest.raises(InvalidParameterError, match="Other libraries' networks are passed as mod"):
        Embedder("resnet18", device="cpu").transform(images)


def test_a_module_with_weights(net, images, tmp_path):
    other = seeded(Net, seed=1)
    torch.save(other.state_dict(), tmp_path / "w.pth")
    before = copy.deepcopy(net.state_dict())
    for weights in (tmp_path / "w.pth", other.state_dict()):
        close(
            Embedder(net, weights=weights, device="cpu").transform(images), by_hand(other, images)
        )
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    with pytest.raises(InvalidParameterError, match="the state dict of this network, Tokens"):
        Embedder(seeded(Tokens), weights=tmp_path / "w.pth", device="cpu").transform(images)


def test_the_network_of_a_classifier(data):
    X, y = data
    clf = CNNClassifier(max_epochs=1, random_state=0, device="cpu").fit(X, y)
    from skactive.gradients import head_inputs

    wanted = head_inputs(clf.module_, X).inputs
    close(Embedder(clf.module_, device="cpu").transform(X), wanted)
    close(Embedder(clf.module_, device="cpu").transform(X[:, None]), wanted)


# -- nothing is changed ----------------------------------------------------------


def state_of(net):
    tensors = [*net.parameters(), *net.buffers()]
    modes = [m.training for m in net.modules()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    return tensors, [t.clone() for t in tensors], [t._version for t in tensors], modes, hooks


class Noisy(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) + torch.rand(1) + np.random.rand() + random.random()


@pytest.mark.parametrize("mode", [True, False])
def test_module_and_generators_stay_as_they_are(net, images, mode):
    net.train(mode)
    net.conv.weight.requires_grad_(False)
    net.drop.train(not mode)
    tensors, values, versions, modes, hooks = state_of(net)
    draws = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    Embedder(net, device="cpu").fit(images).transform(images)
    again = state_of(net)
    assert all(a is b for a, b in zip(tensors, again[0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(values, again[1], strict=True))
    assert (versions, modes, hooks) == again[2:]
    assert torch.equal(draws[0], torch.get_rng_state())
    assert (draws[1] == np.random.get_state()[1]).all()
    assert draws[2] == random.getstate()


def test_what_a_network_draws_is_the_same_each_time(images):
    embedder = Embedder(Noisy(), device="cpu", normalize=None)
    draws = torch.get_rng_state()
    np.testing.assert_array_equal(embedder.transform(images), embedder.transform(images))
    assert torch.equal(draws, torch.get_rng_state())


def test_weights_that_change_between_calls(net, images):
    embedder = Embedder(net, device="cpu")
    first = embedder.transform(images)
    close(first, by_hand(net, images))
    with torch.no_grad():
        net.conv.weight.mul_(2)
    close(embedder.transform(images), by_hand(net, images))
    net.norm.running_mean = torch.ones(5)
    close(embedder.transform(images), by_hand(net, images))
    embedder.set_params(module=seeded(Net, seed=3))
    close(embedder.transform(images), by_hand(embedder.module, images))
    embedder.set_params(layer="conv")
    assert abs(embedder.transform(images) - first).max() > 0.01


def test_the_network_is_built_once(net, images, monkeypatch):
    copies = []
    real = copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda x, *rest: copies.append(x) or real(x, *rest))
    embedder = Embedder(net, device="cpu")
    for _ in range(3):
        embedder.transform(images)
    assert sum(each is net for each in copies) == 1


@pytest.mark.parametrize("cached", [True, False])
def test_a_long_pass_shows_how_far_it_is(net, images, monkeypatch, tmp_path, cached):
    counted, real = [], tqdm.update
    monkeypatch.setattr(
        tqdm, "update", lambda bar, n: counted.append((n, bar.total)) or real(bar, n)
    )
    monkeypatch.setattr(_progress, "_QUICK", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", stream)
    embedder = Embedder(net, device="cpu", batch_size=3, cache=tmp_path if cached else None)
    embedder.transform(images)
    assert counted == [(3, 7), (3, 7), (1, 7)]
    assert "Embedder:" in stream.getvalue()
    assert "image/s" in stream.getvalue()
    monkeypatch.setattr(stream, "isatty", lambda: False)
    before = stream.getvalue()
    embedder.transform(images)
    assert stream.getvalue() == before


# -- messages --------------------------------------------------------------------


def test_layers_that_are_not_there(net, images):
    with pytest.raises(InvalidParameterError, match=r"a layer of Net.*Got 'cov'.*There are 'conv'"):
        Embedder(net, layer="cov", device="cpu").transform(images)
    net.spare = nn.Linear(2, 2)
    with pytest.raises(InvalidParameterError, match="a layer that runs when the network does"):
        Embedder(net, layer="spare", device="cpu").transform(images)


def test_networks_without_weights(images):
    with torch.device("meta"):
        empty = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    for network, why in ((empty, "meta device"), (lazy, "a lazy layer")):
        with pytest.raises(InvalidParameterError, match=f"that has its weights. Got .*{why}"):
            Embedder(network, device="cpu").transform(images)


class Scalar(nn.Module):
    def forward(self, x):
        return x.mean()


def test_outputs_that_are_no_features(images):
    match = r"maps \(7, C, H, W\) or \(7, H, W, C\), tokens"
    with pytest.raises(InvalidParameterError, match=match):
        Embedder(Scalar(), device="cpu").transform(images)


def test_images_that_a_network_cannot_take(images):
    net = seeded(lambda: Net(5))
    with pytest.raises(
        InvalidParameterError, match=r"takes images of shape \(3, 12, 10\).*It says"
    ):
        Embedder(net, device="cpu").transform(images)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((5, 3)), "must be images: an array"),
        (np.zeros((0, 8, 8, 3), np.uint8), "at least one image"),
        ([], "at least one image"),
        ("pool.png", "Pass a list of the files"),
        (np.full((2, 8, 8, 3), np.nan), "NaN or infinity, first in sample 0"),
        (np.zeros((2, 8, 8, 3), int), "uint8"),
        (["a.png", 3], "paths of image files"),
    ],
)
def test_samples_that_are_no_images(net, X, match):
    with pytest.raises(ValueError, match=match):
        Embedder(net, device="cpu").transform(X)


def test_broken_files_are_named(net, images, tmp_path):
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(UnreadableFileError, match=r"Embedder cannot read '.*b\.png': cannot ident"):
        Embedder(net, device="cpu").transform(files)
    with pytest.raises(UnreadableFileError, match=r"'.*nope\.png'"):
        Embedder(net, device="cpu").transform([tmp_path / "nope.png"])


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"size": (8,)}, "'size'"),
        ({"size": (0, 8)}, "'size'"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"pooling": "max"}, "'pooling'"),
        ({"device": "abacus"}, "'device'"),
        ({"module": 3}, "'module'"),
        ({"normalize": "imagenet"}, "'normalize'"),
    ],
)
def test_wrong_parameters(net, images, params, match):
    with pytest.raises(InvalidParameterError, match=match):
        Embedder(net, device="cpu").set_params(**params).transform(images)


# -- as a transformer ------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_get_params_invariance",
        "check_set_params",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_scikit_learns_checks_that_pass_no_numbers(name, net):
    getattr(estimator_checks, name)("Embedder", Embedder(net))


def test_it_is_a_stateless_transformer(net, images):
    embedder = Embedder(net, device="cpu")
    before = dict(vars(embedder))
    found = embedder.transform(images)
    assert vars(embedder) == before
    np.testing.assert_array_equal(found, clone(embedder).fit_transform(images))
    np.testing.assert_array_equal(found, pickle.loads(pickle.dumps(embedder)).transform(images))
    with pytest.raises(NotFittedError, match="Call fit"):
        embedder.get_feature_names_out()
    assert embedder.fit(images) is embedder
    assert embedder.get_feature_names_out().tolist() == [f"embedder{i}" for i in range(5)]
    tags = get_tags(embedder)
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit
    frame = embedder.set_output(transform="pandas").transform(images)
    assert frame.columns[4] == "embedder4"
    np.testing.assert_array_equal(frame.to_numpy(), found)


def test_order_and_subsets_do_not_matter(net, images):
    embedder = Embedder(net, device="cpu", batch_size=4)
    whole = embedder.transform(images)
    order = np.random.default_rng(0).permutation(7)
    np.testing.assert_allclose(embedder.transform(images[order]), whole[order], atol=1e-6)
    for i in range(7):
        np.testing.assert_allclose(embedder.transform(images[i : i + 1])[0], whole[i], atol=1e-6)


def test_before_a_classifier_and_in_a_strategy(net, data):
    X, y = data
    colours = np.repeat(X[..., None], 3, 3)
    embedder = Embedder(net, device="cpu")
    clf = make_pipeline(embedder, LogisticRegression()).fit(colours[:30], y[:30])
    picks = Margin().select(clf, colours[30:], 4).indices
    features = embedder.transform(colours)
    on_features = LogisticRegression().fit(features[:30], y[:30])
    np.testing.assert_array_equal(picks, Margin().select(on_features, features[30:], 4).indices)
    one = TypiClust(embeddings=embedder, random_state=0).select(None, colours, 5).indices
    two = TypiClust(random_state=0).select(None, colours, 5, embeddings=features).indices
    np.testing.assert_array_equal(one, two)


# -- other people's networks -----------------------------------------------------


def test_timm(images):
    timm = pytest.importorskip(
        "timm", reason="timm is not installed: pip install 'skactive[features-test]'"
    )
    network = seeded(lambda: timm.create_model("resnet10t", num_classes=3)).eval()
    found = Embedder(network, device="cpu").transform(images[:2])
    config = timm.data.resolve_model_data_config(network)
    prepare = timm.data.create_transform(**config)
    x = torch.stack([prepare(Image.fromarray(image)) for image in images[:2]])
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features(x), pre_logits=True)
    # Pillow rounds after each direction that it resizes in, torch at the end
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.02)
    network.reset_classifier(0)
    np.testing.assert_allclose(
        Embedder(network, device="cpu").transform(images[:2]), found, atol=1e-5
    )


def test_timms_transformers(images):
    timm = pytest.importorskip(
        "timm", reason="timm is not installed: pip install 'skactive[features-test]'"
    )
    network = seeded(
        lambda: timm.create_model(
            "vit_tiny_patch16_224", img_size=16, patch_size=8, depth=1, num_classes=0
        )
    ).eval()
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    with pytest.raises(InvalidParameterError, match="Pass the size="):
        Embedder(network, device="cpu").transform(x)
    embedder = Embedder(network, size=(16, 16), device="cpu")
    assert embedder.transform(x).shape == (7, 192)
    tokens = embedder.set_params(layer="norm")
    first = clone(tokens).set_params(pooling="first")
    close(first.transform(x), clone(embedder).set_params(layer="").transform(x))
    assert abs(tokens.transform(x) - first.transform(x)).max() > 1e-3


def hugging_face():
    return pytest.importorskip(
        "transformers",
        reason="transformers is not installed: pip install 'skactive[features-test]'",
    )


def vit(transformers, kind):
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=16,
        patch_size=8,
    )
    return seeded(lambda: kind(config)).eval()


def test_hugging_faces_transformers(images):
    transformers = hugging_face()
    network = vit(transformers, transformers.ViTModel)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    from torchvision.transforms import functional

    resized = functional.resize(x, [16, 16], antialias=True).float() / 255
    with torch.no_grad():
        out = network(
            (resized - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        )
    close(Embedder(network, device="cpu").transform(x), out.last_hidden_state.mean(1))
    first = Embedder(network, pooling="first", device="cpu").transform(x)
    close(first, out.last_hidden_state[:, 0])
    close(Embedder(network, layer="pooler", device="cpu").transform(x), out.pooler_output)
    labelled = vit(transformers, transformers.ViTForImageClassification)
    assert Embedder(labelled, device="cpu").transform(x).shape == (7, 16)


def test_hugging_faces_maps(images):
    transformers = hugging_face()
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1])
    network = seeded(lambda: transformers.ResNetModel(config)).eval()
    x = torch.stack([standardised(image) for image in images]).float()
    with torch.no_grad():
        wanted = network(x).pooler_output[:, :, 0, 0]
    close(Embedder(network, device="cpu").transform(images), wanted)
