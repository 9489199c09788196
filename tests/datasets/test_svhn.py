"""SVHN, from MATLAB files."""

import re

import numpy as np
import pytest
from scipy.io import savemat

from skactive.datasets import load_svhn
from skactive.exceptions import DatasetError
from tests.datasets._formats import write_svhn


def test_from_path(tmp_path):
    content = write_svhn(tmp_path)
    data = load_svhn(path=tmp_path)
    X, _ = content["train"]
    assert data.X_train.shape == (11, 32, 32, 3)
    assert data.X_test.shape == (4, 32, 32, 3)
    assert data.X_train.dtype == np.uint8
    assert data.X_train.flags.c_contiguous
    for i in range(11):
        np.testing.assert_array_equal(data.X_train[i], X[:, :, :, i])
    # The source's labels are 1, 2, ..., 10, 1, and its 10 is the digit 0.
    assert data.y_train.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data.y_test.tolist() == [1, 2, 3, 4]
    assert data.y_train.dtype == np.int64
    assert data.target_names == list("0123456789")
    assert "non-commercial" in data.DESCR


def test_missing(tmp_path):
    write_svhn(tmp_path)
    (tmp_path / "test_32x32.mat").unlink()
    message = (
        f"SVHN: files are missing. Looked in {tmp_path} (has no test_32x32.mat). "
        "Pass path= with the folder of train_32x32.mat and test_32x32.mat."
    )
    with pytest.raises(DatasetError, match=f"^{re.escape(message)}$"):
        load_svhn(path=tmp_path)


@pytest.mark.parametrize("keep", [0, 3, 60, 130, 200, 5000, -1])
def test_truncated(tmp_path, keep):
    write_svhn(tmp_path)
    file = tmp_path / "train_32x32.mat"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"train_32x32\.mat is damaged: it cannot be read as a"):
        load_svhn(path=tmp_path)


def test_not_matlab(tmp_path):
    write_svhn(tmp_path)
    (tmp_path / "train_32x32.mat").write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(DatasetError, match=r"train_32x32\.mat is damaged: it cannot be read as a"):
        load_svhn(path=tmp_path)


X = np.zeros((32, 32, 3, 2), dtype=np.uint8)
Y = np.array([[1], [10]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": X}, "it cannot be read as a MATLAB file with X and y"),
        ({"X": X.astype(float), "y": Y}, r"found \(32, 32, 3, 2\) and float64"),
        ({"X": X.T, "y": Y}, r"found \(2, 3, 32, 32\) and uint8"),
        ({"X": X, "y": Y[:1]}, "it has 2 images and 1 labels"),
        ({"X": X, "y": Y + 1}, "expected labels from 0 to 9, found 2 to 11"),
        ({"X": X, "y": Y / 2}, "expected integer labels, found the dtype float64"),
    ],
)
def test_wrong_content(tmp_path, content, message):
    write_svhn(tmp_path)
    savemat(tmp_path / "test_32x32.mat", content)
    with pytest.raises(DatasetError, match=f"test_32x32.mat is damaged: .*{message}"):
        load_svhn(path=tmp_path)
