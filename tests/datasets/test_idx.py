"""The IDX reader, on files written here."""

import gzip
import re

import numpy as np
import pytest

from skactive.datasets._idx import missing_idx, read_idx, read_idx_folder
from skactive.exceptions import DatasetError
from tests.datasets._formats import idx_bytes, write_idx_folder

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)


@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(tmp_path, compress):
    content = write_idx_folder(tmp_path, compress=compress)
    assert missing_idx(tmp_path) == []
    (X_train, y_train), (X_test, y_test) = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(X_train, content["train-images-idx3-ubyte"], strict=True)
    np.testing.assert_array_equal(X_test, content["t10k-images-idx3-ubyte"], strict=True)
    np.testing.assert_array_equal(y_train, content["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(y_test, content["t10k-labels-idx1-ubyte"])
    assert y_train.dtype == y_test.dtype == np.int64
    assert X_train.flags.writeable


def test_header_is_as_published():
    # http://yann.lecun.com/exdb/mnist: 0x00000803, then three big-endian 32-bit sizes.
    assert idx_bytes(IMAGES)[:16].hex() == "00000803" + "00000003" + "0000001c" + "0000001c"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_bytes(IMAGES)[:-5], "it is truncated: expected 2368 bytes, found 2363 bytes"),
        (idx_bytes(IMAGES) + b"!", "it is too long: expected 2368 bytes, found 2369 bytes"),
        (b"\0\0\x08\x03\0", "it is truncated: expected a header of 16 bytes, found 5 bytes"),
        (
            idx_bytes(IMAGES, magic=0x801),
            "expected the magic number 0x00000803, found 0x00000801",
        ),
        (
            idx_bytes(IMAGES, magic=0xD03),
            "expected the magic number 0x00000803, found 0x00000d03",
        ),
        (
            idx_bytes(IMAGES, shape=(3, 14, 56)),
            r"expected items of shape \(28, 28\), found \(14, 56\)",
        ),
        (
            idx_bytes(IMAGES, shape=(2**32 - 1, 28, 28)),
            "it is truncated: expected 3367254359296 bytes, found 2368 bytes",
        ),
    ],
)
def test_damaged(tmp_path, content, message):
    file = tmp_path / "images"
    file.write_bytes(content)
    remedy = re.escape("Delete it and fetch it again (download=True), or pass path=")
    with pytest.raises(DatasetError, match=f"images is damaged: {message}. {remedy}"):
        read_idx(file, (28, 28))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(idx_bytes(IMAGES))[:-20], "Compressed file ended before"),
        (b"no gzip at all", "Not a gzipped file"),
        (gzip.compress(idx_bytes(IMAGES))[:-8] + b"\1" * 8, "CRC check failed"),
        (gzip.compress(b"", mtime=0)[:10] + b"\xff" * 30, "decompressing"),
    ],
)
def test_damaged_gzip(tmp_path, content, message):
    file = tmp_path / "images.gz"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"images.gz is damaged: it cannot be .*{message}"):
        read_idx(file, (28, 28))


def test_images_and_labels_differ_in_number(tmp_path):
    write_idx_folder(tmp_path)
    labels = np.zeros(4, dtype=np.uint8)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(
        DatasetError,
        match="t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte is damaged: "
        "it has 5 images and 4 labels",
    ):
        read_idx_folder(tmp_path)


def test_labels_out_of_range(tmp_path):
    write_idx_folder(tmp_path)
    labels = np.array([3, 1, 10, 2, 1], dtype=np.uint8)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(DatasetError, match="expected labels from 0 to 9, found 1 to 10"):
        read_idx_folder(tmp_path)
