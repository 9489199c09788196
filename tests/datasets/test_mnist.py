"""MNIST, from IDX files."""

import re

import numpy as np
import pytest

from skactive.datasets import load_mnist
from skactive.exceptions import DatasetError
from tests.datasets._formats import write_idx_folder


@pytest.mark.parametrize("compress", [False, True])
def test_from_path(tmp_path, compress):
    content = write_idx_folder(tmp_path, compress=compress)
    data = load_mnist(path=tmp_path)
    np.testing.assert_array_equal(data.X_train, content["train-images-idx3-ubyte"], strict=True)
    np.testing.assert_array_equal(data.X_test, content["t10k-images-idx3-ubyte"], strict=True)
    np.testing.assert_array_equal(data.y_train, content["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(data.y_test, content["t10k-labels-idx1-ubyte"])
    assert data.y_train.dtype == np.int64
    assert data.target_names == list("0123456789")
    assert "yann.lecun.com" in data.DESCR
    assert "Licence" in data.DESCR


def test_missing(tmp_path):
    write_idx_folder(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    message = (
        f"MNIST: files are missing. Looked in {tmp_path} (has no train-images-idx3-ubyte[.gz], "
        "t10k-images-idx3-ubyte[.gz]). Pass path= with the folder of the four IDX files."
    )
    with pytest.raises(DatasetError, match=f"^{re.escape(message)}$"):
        load_mnist(path=tmp_path)


def test_truncated(tmp_path):
    write_idx_folder(tmp_path, compress=True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz is damaged: it cannot be"):
        load_mnist(path=tmp_path)
