"""CIFAR-10 and CIFAR-100, from pickles as Python 2 wrote them."""

import io
import re
import tarfile

import numpy as np
import pytest

from skactive.datasets import load_cifar10, load_cifar100
from skactive.exceptions import DatasetError
from tests.datasets._formats import CIFAR10_FILES, python2_pickle, write_cifar10, write_cifar100

FOLDER10, ARCHIVE10 = "cifar-10-batches-py", "cifar-10-python.tar.gz"


def pack(folder, archive):
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
        data = b"other files do not matter"
        info = tarfile.TarInfo(f"{folder.name}/readme.html")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder10(tmp_path):
    write_cifar10(tmp_path / FOLDER10)
    return tmp_path / FOLDER10


@pytest.mark.parametrize("given", ["folder", "parent", "archive", "folder of the archive"])
def test_cifar10(tmp_path, given):
    content = write_cifar10(tmp_path / "source" / FOLDER10)
    path = tmp_path / "source"
    if given == "folder":
        path = path / FOLDER10
    elif given != "parent":
        path = tmp_path / "packed" / ARCHIVE10
        path.parent.mkdir()
        pack(tmp_path / "source" / FOLDER10, path)
        path = path if given == "archive" else path.parent
    data = load_cifar10(path=path)
    assert data.X_train.shape == (15, 32, 32, 3)
    assert data.X_test.shape == (3, 32, 32, 3)
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.X_train.flags.c_contiguous
    assert data.X_test.flags.writeable
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.y_train.tolist() == [c for name in CIFAR10_FILES[:5] for c in content[name][1]]
    assert data.y_test.tolist() == content["test_batch"][1]
    rows = np.concatenate([content[name][0] for name in CIFAR10_FILES[:5]])
    for i, row in enumerate(rows):  # a row is 1024 red values, then green, then blue
        for channel in range(3):
            plane = row[1024 * channel : 1024 * (channel + 1)].reshape(32, 32)
            np.testing.assert_array_equal(data.X_train[i, :, :, channel], plane)
    assert data.target_names == [f"class {c}" for c in range(10)]
    assert data.DESCR.startswith("CIFAR-10\n")
    assert "Licence" in data.DESCR


def test_cifar100(tmp_path):
    content = write_cifar100(tmp_path / "cifar-100-python")
    data = load_cifar100(path=tmp_path)
    assert data.X_train.shape == data.X_test.shape == (7, 32, 32, 3)
    assert data.y_train.tolist() == content["train"][1]
    assert data.y_test.tolist() == content["test"][1]
    assert len(data.target_names) == 100
    assert data.DESCR.startswith("CIFAR-100\n")


def test_missing(folder10):
    (folder10 / "data_batch_3").unlink()
    (folder10 / "batches.meta").unlink()
    with pytest.raises(
        DatasetError,
        match=r"CIFAR-10: files are missing. Looked in .*\(has no data_batch_3, batches.meta\).*"
        f"Pass path= with the folder {FOLDER10} or the archive {ARCHIVE10}.",
    ):
        load_cifar10(path=folder10)


def test_missing_names_every_place(tmp_path):
    places = "; ".join(
        re.escape(str(place)) + r" \(.*?\)"
        for place in (tmp_path, tmp_path / FOLDER10, tmp_path / ARCHIVE10)
    )
    with pytest.raises(DatasetError, match=f"Looked in {places}. Pass"):
        load_cifar10(path=tmp_path)


def test_missing_in_the_archive(tmp_path, folder10):
    (folder10 / "test_batch").unlink()
    pack(folder10, tmp_path / ARCHIVE10)
    message = f"{ARCHIVE10} is damaged: the archive has no {FOLDER10}/test_batch. Delete it"
    with pytest.raises(DatasetError, match=message):
        load_cifar10(path=tmp_path / ARCHIVE10)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_archive(tmp_path, folder10, share):
    archive = tmp_path / ARCHIVE10
    pack(folder10, archive)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DatasetError, match=f"{ARCHIVE10} is damaged: it cannot be read as an"):
        load_cifar10(path=archive)


def test_not_an_archive(tmp_path):
    (tmp_path / "page.html").write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(DatasetError, match=r"page.html is damaged: .*Not a gzipped file"):
        load_cifar10(path=tmp_path / "page.html")


def test_archive_with_a_wrong_checksum(tmp_path, folder10):
    archive = tmp_path / ARCHIVE10
    pack(folder10, archive)
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1  # the CRC at the end of a gzip file
    archive.write_bytes(content)
    with pytest.raises(DatasetError, match=f"{ARCHIVE10} is damaged: .*CRC check failed"):
        load_cifar10(path=archive)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_batch(folder10, share):
    file = folder10 / "data_batch_2"
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DatasetError, match="data_batch_2 is damaged: it cannot be unpickled"):
        load_cifar10(path=folder10)


ROWS = np.zeros((2, 3072), dtype=np.uint8)
DATA = r"expected an array of shape \(n, 3072\) and dtype uint8 under 'data'"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1, 2], "expected a pickled dict, found list"),
        ({"labels": [1, 2]}, DATA),
        ({"data": [0] * 3072, "labels": [1]}, DATA),
        ({"data": ROWS, "fine_labels": [1, 2]}, "expected a list of int under 'labels'"),
        ({"data": ROWS, "labels": [1]}, "it has 2 images and 1 labels"),
        ({"data": ROWS, "labels": [1, -1]}, "expected labels from 0 to 9, found -1 to 1"),
        ({"data": ROWS, "labels": [1, "cat"]}, "expected a list of int under 'labels'"),
        ({"data": ROWS[:, :99], "labels": [1, 2]}, rf"{DATA}, found \(2, 99\) and 'u1'"),
        (
            {"data": ROWS.astype(np.int16), "labels": [1, 2]},
            rf"{DATA}, found \(2, 3072\) and 'i2'",
        ),
    ],
)
def test_wrong_batch(folder10, entry, message):
    (folder10 / "data_batch_5").write_bytes(python2_pickle(entry))
    with pytest.raises(DatasetError, match=f"data_batch_5 is damaged: .*{message}"):
        load_cifar10(path=folder10)


def test_wrong_names(folder10):
    (folder10 / "batches.meta").write_bytes(python2_pickle({"label_names": ["cat", "dog"]}))
    with pytest.raises(DatasetError, match="expected 10 names under 'label_names', found 2"):
        load_cifar10(path=folder10)
