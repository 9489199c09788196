"""Fashion-MNIST: the part that ships, and the whole from files."""

import hashlib
import re
import zipfile
from importlib import resources

import numpy as np
import pytest
from sklearn.utils import Bunch

from skactive._validation import InvalidParameterError
from skactive.datasets import _fashion_mnist, load_fashion_mnist
from skactive.exceptions import DatasetError
from tests.datasets._formats import write_idx_folder

DATA = resources.files("skactive.datasets") / "data"
DEBIAN_FOLDER = _fashion_mnist._DEBIAN_FOLDER


@pytest.fixture
def no_debian(monkeypatch, tmp_path):
    """A machine without Debian's package."""
    folder = tmp_path / "debian"
    monkeypatch.setattr(_fashion_mnist, "_DEBIAN_FOLDER", folder)
    return folder


def test_shipped():
    data = load_fashion_mnist()
    assert isinstance(data, Bunch)
    assert data.X_train.shape == (3000, 28, 28)
    assert data.X_test.shape == (1000, 28, 28)
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert np.bincount(data.y_train).tolist() == [300] * 10
    assert np.bincount(data.y_test).tolist() == [100] * 10
    assert len(data.target_names) == 10
    assert all(isinstance(name, str) for name in data.target_names)
    assert "first 300 training and 100 test" in data.DESCR
    assert "MIT" in data.DESCR
    assert "Zalando SE" in data.DESCR


def test_shipped_labels_are_those_of_the_file():
    with zipfile.ZipFile(str(DATA / "fashion_mnist_4k.npz")) as archive:
        train = archive.read("y_train.npy")[-3000:]
        first_image = archive.read("X_train.npy")[-3000 * 784 :][:784]
    data = load_fashion_mnist()
    assert data.y_train.tolist() == list(train)
    assert data.y_train[:6].tolist() == [9, 0, 0, 3, 0, 2]
    assert data.X_train[0].tobytes() == first_image
    assert data.target_names[9] == "Ankle boot"


def test_calls_do_not_share_arrays():
    first = load_fashion_mnist()
    first.X_train[:] = 0
    first.target_names.append("other")
    second = load_fashion_mnist()
    assert second.X_train.any()
    assert len(second.target_names) == 10


def test_notice_ships():
    notice = (DATA / "LICENSE-fashion-mnist.txt").read_text(encoding="utf-8")
    assert "Copyright © 2017 Zalando SE" in notice
    assert "The above copyright notice and this permission notice shall be included" in notice


def test_shipped_damaged(monkeypatch, tmp_path):
    content = bytearray((DATA / "fashion_mnist_4k.npz").read_bytes())
    content[1000] ^= 1
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fashion_mnist_4k.npz").write_bytes(content)
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)
    with pytest.raises(
        DatasetError,
        match="fashion_mnist_4k.npz is damaged: expected the sha256 99292a.*, "
        f"found {hashlib.sha256(content).hexdigest()}. Install skactive again.",
    ):
        load_fashion_mnist()


def test_shipped_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)
    with pytest.raises(
        DatasetError, match=r"fashion_mnist_4k\.npz is missing\. Install skactive again\."
    ):
        load_fashion_mnist()


@pytest.mark.parametrize("compress", [False, True])
def test_full_from_path(tmp_path, compress):
    content = write_idx_folder(tmp_path, compress=compress)
    data = load_fashion_mnist("full", path=str(tmp_path))
    np.testing.assert_array_equal(data.X_train, content["train-images-idx3-ubyte"], strict=True)
    np.testing.assert_array_equal(data.y_test, content["t10k-labels-idx1-ubyte"])
    assert data.y_test.dtype == np.int64
    assert data.target_names[1] == "Trouser"
    assert "first 300" not in data.DESCR


def test_full_prefers_debian_to_the_cache(no_debian, monkeypatch, tmp_path):
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path))
    write_idx_folder(tmp_path / "FashionMNIST" / "raw", n_train=2)
    assert load_fashion_mnist("full").X_train.shape == (2, 28, 28)
    write_idx_folder(no_debian, n_train=8, compress=True)
    assert load_fashion_mnist("full").X_train.shape == (8, 28, 28)


def test_full_passes_over_an_incomplete_folder(no_debian, monkeypatch, tmp_path):
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path))
    write_idx_folder(no_debian, n_train=8)
    (no_debian / "train-labels-idx1-ubyte").unlink()
    write_idx_folder(tmp_path / "FashionMNIST" / "raw", n_train=2)
    assert load_fashion_mnist("full").X_train.shape == (2, 28, 28)


def test_full_missing_one_file(tmp_path):
    write_idx_folder(tmp_path, compress=True)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    message = (
        f"Fashion-MNIST: files are missing. Looked in {tmp_path} "
        "(has no t10k-labels-idx1-ubyte[.gz]). "
        "Pass path= with the folder of the four IDX files."
    )
    with pytest.raises(DatasetError, match=f"^{re.escape(message)}$"):
        load_fashion_mnist("full", path=tmp_path)


def test_full_missing_everywhere(no_debian, monkeypatch, tmp_path):
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path / "cache"))
    message = (
        f"Fashion-MNIST: files are missing. Looked in {no_debian} (does not exist); "
        f"{tmp_path / 'cache' / 'FashionMNIST' / 'raw'} (does not exist). "
        "Pass path= with the folder of the four IDX files, install Debian's package "
        "dataset-fashion-mnist, or pass download=True."
    )
    with pytest.raises(DatasetError, match=f"^{re.escape(message)}$"):
        load_fashion_mnist("full")


@pytest.mark.skipif(
    not DEBIAN_FOLDER.exists(), reason="Debian's package dataset-fashion-mnist is not installed"
)
def test_full_from_debian():
    full = load_fashion_mnist("full")
    assert full.X_train.shape == (60000, 28, 28)
    assert full.X_test.shape == (10000, 28, 28)
    assert np.bincount(full.y_train).tolist() == [6000] * 10
    shipped = load_fashion_mnist()
    for split, n in (("train", 300), ("test", 100)):
        X, y = full[f"X_{split}"], full[f"y_{split}"]
        first = np.sort(np.concatenate([np.flatnonzero(y == c)[:n] for c in range(10)]))
        np.testing.assert_array_equal(shipped[f"X_{split}"], X[first])
        np.testing.assert_array_equal(shipped[f"y_{split}"], y[first])


@pytest.mark.parametrize("subset", ["5k", None, 4000, ["4k"]])
def test_wrong_subset(subset):
    message = (
        'The \'subset\' parameter of load_fashion_mnist must be "4k" or "full". '
        f"Got {subset!r} instead."
    )
    with pytest.raises(InvalidParameterError, match=f"^{re.escape(message)}$"):
        load_fashion_mnist(subset)


def test_path_for_the_shipped_part(tmp_path):
    with pytest.raises(
        InvalidParameterError,
        match=r"'path' parameter of load_fashion_mnist must be None where subset=\"4k\".*"
        r'Pass subset="full" to read the folder\.',
    ):
        load_fashion_mnist(path=tmp_path)
