"""What the four loaders of files share: the cache folder, the search, the download."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from skactive import datasets
from skactive._validation import InvalidParameterError
from skactive.datasets._sources import cache_folder
from skactive.exceptions import DatasetError
from tests.datasets._formats import write_cifar10, write_cifar100, write_idx_folder, write_svhn

LOADERS = {
    "load_fashion_mnist": partial(datasets.load_fashion_mnist, "full"),
    "load_mnist": datasets.load_mnist,
    "load_svhn": datasets.load_svhn,
    "load_cifar10": datasets.load_cifar10,
    "load_cifar100": datasets.load_cifar100,
}

# loader: torchvision's class, its folder under the cache folder, a writer of that folder, n_train
DOWNLOADS = {
    "load_fashion_mnist": ("FashionMNIST", "FashionMNIST/raw", write_idx_folder, 12),
    "load_mnist": ("MNIST", "MNIST/raw", write_idx_folder, 12),
    "load_svhn": ("SVHN", "SVHN", write_svhn, 11),
    "load_cifar10": ("CIFAR10", "cifar-10-batches-py", write_cifar10, 15),
    "load_cifar100": ("CIFAR100", "cifar-100-python", write_cifar100, 7),
}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder, on a machine without Debian's package."""
    monkeypatch.setattr(datasets._fashion_mnist, "_DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_all():
    assert sorted(datasets.__all__) == datasets.__all__
    assert all(callable(getattr(datasets, name)) for name in datasets.__all__)


@pytest.mark.slow
def test_import_is_light():
    """Apart from what the package itself imports, the room imports no torchvision, PIL or SciPy."""
    code = (
        "import sys, types\n"
        "package = sys.modules['skactive'] = types.ModuleType('skactive')\n"
        f"package.__path__ = [{str(Path(datasets.__file__).parents[1])!r}]\n"
        "import numpy, sklearn.utils\n"
        "before = set(sys.modules)\n"
        "import skactive.datasets\n"
        "print(sorted({'torch', 'torchvision', 'PIL', 'scipy.io'} & (set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_cache_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("SKACTIVE_DATA", raising=False)
    assert cache_folder() == Path("/home/somebody/.cache/skactive")
    monkeypatch.setenv("SKACTIVE_DATA", "")
    assert cache_folder() == Path("/home/somebody/.cache/skactive")
    monkeypatch.setenv("SKACTIVE_DATA", "~/elsewhere")
    assert cache_folder() == Path("/home/somebody/elsewhere")


@pytest.mark.parametrize("name", LOADERS)
def test_download(cache, monkeypatch, name):
    dataset, folder, write, n_train = DOWNLOADS[name]
    calls = []

    def downloader(root, download, **part):
        if not calls:
            write(cache / folder)
        calls.append((root, download, part))

    monkeypatch.setattr(torchvision.datasets, dataset, downloader)
    data = LOADERS[name](download=True)
    assert len(data.X_train) == len(data.y_train) == n_train
    if name == "load_svhn":
        parts = [{"split": "train"}, {"split": "test"}]
        assert calls == [(cache / "SVHN", True, part) for part in parts]
    else:
        assert calls == [(cache, True, {})]

    again = LOADERS[name](download=True)  # the files are there: nothing is fetched
    offline = LOADERS[name]()
    assert len(calls) == (2 if name == "load_svhn" else 1)
    np.testing.assert_array_equal(again.X_train, data.X_train)
    np.testing.assert_array_equal(offline.X_train, data.X_train)


@pytest.mark.parametrize("name", LOADERS)
def test_arguments_fit_torchvision(cache, monkeypatch, name):
    """torchvision's own classes take what is passed to them."""
    dataset = DOWNLOADS[name][0]
    seen = []

    def download(self):
        seen.append(Path(self.root))
        raise RuntimeError("no network here")

    monkeypatch.setattr(getattr(torchvision.datasets, dataset), "download", download)
    with pytest.raises(DatasetError, match="no network here"):
        LOADERS[name](download=True)
    assert seen == [cache / "SVHN" if name == "load_svhn" else cache]


@pytest.mark.parametrize("error", [RuntimeError("File not found or corrupted."), OSError("down")])
@pytest.mark.parametrize("name", LOADERS)
def test_download_fails(cache, monkeypatch, name, error):
    def downloader(root, download, **part):
        raise error

    monkeypatch.setattr(torchvision.datasets, DOWNLOADS[name][0], downloader)
    message = rf": the download into {cache}\S* failed: {error}. Check the network and the disk"
    with pytest.raises(DatasetError, match=message) as caught:
        LOADERS[name](download=True)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("name", LOADERS)
def test_download_brings_nothing(cache, monkeypatch, name):
    monkeypatch.setattr(torchvision.datasets, DOWNLOADS[name][0], lambda *_, **__: None)
    with pytest.raises(DatasetError, match="files are missing"):
        LOADERS[name](download=True)


@pytest.mark.parametrize("name", LOADERS)
def test_nothing_is_downloaded_unasked(cache, monkeypatch, name):
    monkeypatch.setattr(torchvision.datasets, DOWNLOADS[name][0], None)
    with pytest.raises(DatasetError, match=rf"Looked in .*{cache}.*or pass download=True\.$"):
        LOADERS[name]()


@pytest.mark.parametrize("name", LOADERS)
def test_path_is_a_missing_folder(tmp_path, name):
    place = re.escape(f"Looked in {tmp_path / 'none'} (does not exist)")
    with pytest.raises(DatasetError, match=rf"files are missing. {place}.* Pass path="):
        LOADERS[name](path=tmp_path / "none")


@pytest.mark.parametrize("name", ["load_fashion_mnist", "load_mnist", "load_svhn"])
def test_path_is_a_file(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file \(is not a folder\)"):
        LOADERS[name](path=tmp_path / "file")


def test_path_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx_folder(tmp_path / "digits")
    assert len(datasets.load_mnist(path="~/digits").X_test) == 5


@pytest.mark.parametrize("name", LOADERS)
def test_wrong_arguments(name, tmp_path):
    with pytest.raises(
        InvalidParameterError,
        match=f"The 'path' parameter of {name} must be a str, a path object or None. Got 3",
    ):
        LOADERS[name](path=3)
    with pytest.raises(
        InvalidParameterError,
        match=f"The 'download' parameter of {name} must be True or False. Got 'yes' instead.",
    ):
        LOADERS[name](download="yes")
    with pytest.raises(
        InvalidParameterError,
        match=f"The 'download' parameter of {name} must be False where path is given. "
        "Got True instead. Leave path=None .*SKACTIVE_DATA",
    ):
        LOADERS[name](path=tmp_path, download=True)
