"""Embedder(cache=...): each image goes through the network once, and no feature is another's."""

import functools
import importlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from skactive import Embedder, Margin
from skactive.estimators import _frozen_network
from skactive.exceptions import UnreadableFileError, UnreadableFileWarning

SEEN = []


class Net(nn.Module):
    """Counts what it is given."""

    def __init__(self, n=4):
        super().__init__()
        self.conv = nn.Conv2d(3, n, 3)
        self.factor = 1.0
        self.after = torch.relu
        self.more = {"shift": 1.0}

    def forward(self, x):
        SEEN.append(len(x))
        return self.after(self.conv(x)) * self.factor + self.more["shift"]


def n_seen():
    """Images that went through the network since the last call."""
    n = sum(SEEN)
    SEEN.clear()
    return n


@pytest.fixture
def net():
    SEEN.clear()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net()


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (10, 9, 9, 3), dtype=np.uint8)


@pytest.fixture
def files(images, tmp_path):
    """Files that are old enough to be known by their time."""
    folder = tmp_path / "images"
    folder.mkdir()
    return [save(image, folder / f"{i}.png") for i, image in enumerate(images)]


def save(image, path, when=10**18):
    Image.fromarray(image).save(path)
    os.utime(path, ns=(when, when))
    return path


@pytest.fixture
def embedder(net, tmp_path):
    """Its layer is named, so that no image is run to find it."""
    return Embedder(net, layer="conv", cache=tmp_path / "cache", batch_size=4, device="cpu")


def plain(embedder, X):
    found = clone(embedder).set_params(cache=None).transform(X)
    n_seen()
    return found


def same(found, wanted):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_arrays_are_embedded_once(embedder, images):
    wanted = plain(embedder, images)
    for X in (images[:6], images, images[::-1], images, torch.from_numpy(images), list(images)):
        order = 1 if X is not images[::-1] else -1
        found = embedder.transform(X)
        if isinstance(X, np.ndarray) and X.strides[0] < 0:
            order = -1
        same(found, wanted[::order][: len(X)])
    assert n_seen() == 10
    same(clone(embedder).transform(np.concatenate([images, images])), np.tile(wanted, (2, 1)))
    assert n_seen() == 0
    # on another scale or with another layout an image is another one
    same(embedder.transform(images / 255), wanted)
    assert n_seen() == 10


def test_files_are_embedded_once_and_read_once(embedder, files, images, monkeypatch):
    wanted = plain(embedder, images)
    same(embedder.transform(files), wanted)
    assert n_seen() == 10
    other = clone(embedder)
    same(other.transform([os.path.relpath(file) for file in files][::-1]), wanted[::-1])
    from skactive.estimators import _load_files

    monkeypatch.setattr(_load_files, "file_key", lambda content: 1 / 0)  # none is opened
    same(embedder.transform(np.array(files)), wanted)
    same(other.transform(files[3:5]), wanted[3:5])
    assert n_seen() == 0


def test_files_that_were_renamed_touched_or_moved(embedder, files, images, tmp_path):
    wanted = plain(embedder, images)
    embedder.transform(files)
    n_seen()
    moved = files[0].rename(tmp_path / "elsewhere.png")
    os.utime(files[1])
    copied = shutil.copy(files[2], tmp_path / "copy.png")
    same(embedder.transform([moved, files[1], copied, *files[3:]]), wanted)
    assert n_seen() == 0


def test_files_that_changed(embedder, files, images):
    embedder.transform(files)
    n_seen()
    save(images[5], files[0], when=10**18 + 1)
    save(255 - images[1], files[1], when=10**18 + 1)
    images[:2] = images[5], 255 - images[1]
    found = embedder.transform(files)
    assert n_seen() == 1  # the first is another file's now
    same(found, plain(embedder, images))


def test_young_files_that_change_within_a_tick(embedder, images, tmp_path):
    """Same size, same time, another content."""
    black, white = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)
    file = tmp_path / "a.bmp"
    for image in (black, white):
        save(image, file, when=9 * 10**18)
        same(embedder.transform([file]), plain(embedder, image[None]))


def test_content_that_is_twice_there(embedder, images, files, tmp_path):
    twice = [*files, save(images[0], tmp_path / "again.png")]
    embedder.transform(twice)
    assert n_seen() == 10


def change_weight(net):
    with torch.no_grad():
        net.conv.weight[0, 0, 0, 0] += 1


def change_data(net):
    net.conv.bias.data = net.conv.bias.data + 1


def change_attribute(net):
    net.factor = 2.0


def change_buffer(net):
    net.register_buffer("spare", torch.ones(1), persistent=False)


def change_setting_of_a_layer(net):
    net.conv.stride = (2, 2)


def change_by_a_hook(net):
    net.conv.register_forward_hook(lambda layer, args, out: out * 2)


def change_by_another_hook(net):
    net.conv.register_forward_hook(lambda layer, args, out: out * 3)


def change_tensor_that_is_no_buffer(net):
    net.factor = torch.tensor(3.0)


def change_array(net):
    net.factor = np.float32(4)


def change_function(net):
    net.after = torch.sigmoid


def change_lambda(net):
    net.after = lambda x: x + 1


def change_dict(net):
    net.more = {"shift": 2.0}


def change_partial(net):
    net.after = functools.partial(nn.functional.leaky_relu, negative_slope=0.5)


def change_forward(net):
    net.forward = lambda x: SEEN.append(len(x)) or net.conv(x) - 1


CHANGES = [value for name, value in list(globals().items()) if name.startswith("change_")]


@pytest.mark.parametrize("change", CHANGES)
def test_another_network_never_meets_old_features(embedder, net, images, change):
    embedder.set_params(layer="").fit(images).transform(images)
    n_seen()
    change(net)
    same(embedder.transform(images), plain(embedder, images))
    for use in (embedder, clone(embedder)):
        use.transform(images)
        assert n_seen() == 0


def test_networks_that_differ_in_any_way_have_features_of_their_own(embedder, images):
    """Each is another one's copy up to what was changed; all of them share a folder."""
    embedder.set_params(layer="")
    for change in (lambda net: None, *CHANGES):
        net = Net()
        net.load_state_dict(embedder.module.state_dict())
        change(net)
        other = clone(embedder).set_params(module=net)
        n_seen()
        found = other.transform(images)
        assert n_seen() == 10
        same(found, plain(other, images))


OF_TWO_VERSIONS = """
from torch import nn

SHIFT = {shift}

def shifted(x):
    return x + SHIFT + {more}

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        nn.init.ones_(self.conv.weight)
        nn.init.ones_(self.conv.bias)

    def encode(self, x):
        return shifted(self.conv(x)) + {last}

    def forward(self, x):
        return self.encode(x)
"""


@pytest.mark.parametrize("edit", ["shift", "more", "last"])
def test_code_that_was_edited(images, tmp_path, monkeypatch, edit):
    """In a global, in a function that is called, in a method that is called."""
    monkeypatch.syspath_prepend(tmp_path)
    values = {"shift": 1, "more": 2, "last": 3}
    found = []
    for version in (values, values | {edit: 9}, values):
        (tmp_path / "own_net.py").write_text(OF_TWO_VERSIONS.format(**version))
        sys.modules.pop("own_net", None)
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        net = importlib.import_module("own_net").Own()
        embedder = Embedder(net, cache=tmp_path / "cache", device="cpu")
        found.append(embedder.transform(images))
        same(found[-1], clone(embedder).set_params(cache=None).transform(images))
    assert len([*(tmp_path / "cache").glob("*/rows.bin")]) == 2  # the third is the first again
    assert abs(found[0] - found[1]).min() > 5


@pytest.mark.parametrize("form", ["file", "state dict"])
def test_weights_of_the_same_name_that_change(embedder, images, tmp_path, form):
    weights = Net().state_dict()
    file = tmp_path / "weights.pt"
    torch.save(weights, file)
    embedder.set_params(weights=weights if form == "state dict" else str(file)).transform(images)
    weights["conv.bias"].add_(5)
    torch.save(weights, file)
    same(embedder.transform(images), plain(embedder, images))


def test_a_folder_that_was_deleted_and_filled_by_another(embedder, images, tmp_path):
    first = embedder.transform(images[:4]).copy()
    shutil.rmtree(tmp_path / "cache")
    clone(embedder).transform(images[::-1])
    n_seen()
    same(embedder.transform(images[:4]), first)
    assert n_seen() == 0


def test_threads_that_share_an_embedder(images):
    """Each gets the features of its own images, though all read them at the same layer."""

    class Waits(Net):
        def forward(self, x):
            out = super().forward(x)
            threading.Event().wait(0.002)  # the others come meanwhile
            return out

    embedder = Embedder(Waits(), device="cpu")
    wanted = [embedder.transform(images[i::2]) for i in (0, 1)]
    found: list[list[np.ndarray]] = [[], []]

    def work(i):
        found[i] += [embedder.transform(images[i::2]) for _ in range(30)]

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows, each in zip(wanted, found, strict=True):
        assert len(each) == 30
        for one in each:
            same(one, rows)


def test_a_relative_folder_is_that_of_the_first_call(embedder, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    embedder.set_params(cache="relative").transform(files)
    n_seen()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    embedder.transform(files)
    assert n_seen() == 0
    assert not (tmp_path / "elsewhere" / "relative").exists()


def test_weights_that_are_set_behind_torchs_back(embedder, net, images):
    """What torch does not count is noticed by `fit` and by clones; features and keys agree."""
    old = embedder.transform(images).copy()
    net.conv.weight.data.mul_(2)
    same(embedder.transform(images), old)
    n_seen()
    new = plain(embedder, images)
    same(clone(embedder).transform(images), new)
    assert n_seen() == 10
    same(embedder.fit(images).transform(images), new)
    assert n_seen() == 0


@pytest.mark.parametrize(
    "params",
    [
        {"layer": ""},
        {"pooling": "first"},
        {"size": (6, 6)},
        {"normalize": None},
        {"normalize": ((0.5,), (0.5,))},
        {"amp": True},
    ],
    ids=str,
)
def test_other_parameters_have_features_of_their_own(embedder, images, params):
    embedder.transform(images)
    n_seen()
    embedder.set_params(**params)
    found = embedder.transform(images)
    assert n_seen() == 10
    np.testing.assert_allclose(found, plain(embedder, images), atol=1e-6)


def test_what_does_not_matter_does_not_compute_again(embedder, net, images):
    embedder.transform(images)
    n_seen()
    net.train()
    net.conv.weight.requires_grad_(False)
    for params in ({"batch_size": 3}, {"n_jobs": 2}, {"errors": "skip"}):
        embedder.set_params(**params).transform(images)
    assert n_seen() == 0


def test_networks_of_other_widths(embedder, images, net):
    embedder.transform(images)
    wide = clone(embedder).set_params(module=Net(7))
    assert wide.transform(images).shape == (10, 7)
    assert embedder.transform(images).shape == (10, 4)


def test_a_query_embeds_each_file_once_in_its_life(embedder, files):
    y = np.arange(10) % 2
    clf = make_pipeline(embedder, LogisticRegression())
    pool = np.array(list(map(str, files)))
    learner = ActiveLearner(clf, Margin(batch_size=3), X_training=pool[:4], y_training=y[:4])
    left = np.arange(4, 10)
    for _ in range(3):
        chosen, _ = learner.query(pool[left], n_instances=1)
        learner.teach(pool[left[chosen]], y[left[chosen]])
        left = np.delete(left, chosen)
    learner.score(pool, y)
    assert n_seen() == 10


def test_features_in_one_piece_are_a_memory_map(embedder, images):
    embedder.transform(images[:5])
    found = embedder.transform(images)
    assert isinstance(found, np.memmap)
    found[:] = 0
    assert abs(embedder.transform(images)).max() > 0
    assert not isinstance(embedder.transform(images[::-1]), np.memmap)


def test_what_was_computed_before_an_error_is_kept(embedder, files):
    files[7].write_bytes(b"no image")
    with pytest.raises(UnreadableFileError, match=r"7\.png"):
        embedder.transform(files)
    assert n_seen() == 7  # with the other in its batch
    embedder.transform([*files[:7], *files[8:]])
    assert n_seen() == 2


def test_broken_files_are_found_in_the_pass_that_embeds(embedder, files):
    files[7].write_bytes(b"no image")
    embedder.set_params(errors="skip")
    y = np.arange(10) % 2
    clf = make_pipeline(embedder, LogisticRegression()).fit(files[:4], y[:4])
    assert n_seen() == 4
    with pytest.warns(UnreadableFileWarning, match=r"7\.png"):
        selection = Margin().select(clf, files[4:], 5)
    assert n_seen() == 5
    assert sorted(selection.indices) == [0, 1, 2, 4, 5]
    for same_answer in (embedder, clone(embedder), clone(embedder).set_params(cache=None)):
        assert same_answer.readable(files).tolist() == [i != 7 for i in range(10)]
    assert n_seen() == 0
    assert embedder.readable(np.zeros((2, 9, 9, 3), np.uint8)).all()
    with pytest.raises(UnreadableFileError, match=r"7\.png"):
        embedder.transform(files)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the program forks")
def test_kills_and_several_processes(tmp_path):
    """SIGKILL at every step that reaches a file, and within each write; see kills.py."""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, root / "tests" / "estimators" / "kills.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_features_that_were_read_otherwise_are_not_found(net, images, tmp_path, monkeypatch):
    for version in (1, 2):
        monkeypatch.setattr(_frozen_network, "_READING", version)
        embedder = Embedder(net, layer="conv", cache=tmp_path, device="cpu", normalize=None)
        for _ in range(2):
            embedder.transform(images)
        assert n_seen() == len(images)


@pytest.mark.parametrize("version", [1, 2])
def test_the_input_of_a_named_head_is_read_as_ever(net, version, monkeypatch):
    """No feature that is right has to be computed again."""
    monkeypatch.setattr(_frozen_network, "_READING", version)
    known, device = _frozen_network.Preprocessing(), torch.device("cpu")
    tap = _frozen_network.Tap("conv", reads=True)
    network = _frozen_network.FrozenNetwork(net, known, tap, "mean", device, False, "here")
    assert "reading" not in network.identity()[1]
