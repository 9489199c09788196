"""The reader of CIFAR's pickles: right arrays, and no harm from altered files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from skactive.datasets._unpickle import byte_rows, list_field, unpickle
from skactive.exceptions import DatasetError
from tests.datasets._formats import Array, python2_pickle

FILE = Path("batch")
ROWS = np.random.default_rng(0).integers(0, 256, (2, 5), dtype=np.uint8)


def read_rows(value):
    return byte_rows(FILE, unpickle(FILE, python2_pickle({"data": value})), "data", 5)


def test_python2_pickle_is_what_pickle_reads():
    entry = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2], "name": "é"}
    read = pickle.loads(
        python2_pickle(entry).replace(b"numpy.core", b"numpy._core"), encoding="latin1"
    )
    np.testing.assert_array_equal(read.pop("data"), entry.pop("data"), strict=True)
    assert read == entry


def test_rows():
    np.testing.assert_array_equal(read_rows(ROWS), ROWS, strict=True)


def test_rows_in_fortran_order():
    # NumPy pickles such an array by columns, with True (opcode 0x88) as the mark.
    by_columns = b"T\x0a\0\0\0" + ROWS.T.tobytes()
    np.testing.assert_array_equal(
        read_rows(Array(ROWS, fortran=b"\x88", content=by_columns)), ROWS, strict=True
    )


def test_lists():
    entry = unpickle(FILE, python2_pickle({"labels": [3, 1], "names": ["cat", "\xe9"]}))
    assert list_field(FILE, entry, "labels", int) == [3, 1]
    assert list_field(FILE, entry, "names", str) == ["cat", "\xe9"]


EXPECTED = r"expected an array of shape \(n, 5\) and dtype uint8 under 'data'"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, EXPECTED),
        ([[1, 2, 3, 4, 5]], EXPECTED),
        (ROWS[:, :4], rf"{EXPECTED}, found \(2, 4\) and 'u1'"),
        (ROWS[0], rf"{EXPECTED}, found \(5,\) and 'u1'"),
        (ROWS.astype(np.int16), rf"{EXPECTED}, found \(2, 5\) and 'i2'"),
        (Array(ROWS, shape=b"N"), EXPECTED),
        (Array(ROWS, shape=b"(NJ\x05\0\0\0t"), EXPECTED),
        (Array(ROWS, shape=b"(K\x03K\x05t"), "expected 15 bytes under 'data', found 10 bytes"),
        (Array(ROWS, shape=b"(K\x01K\x05t"), "expected 5 bytes under 'data', found 10 bytes"),
        (Array(ROWS, shape=b"(J\xfe\xff\xff\xffK\x05t"), "expected -10 bytes"),
        (Array(ROWS, content=b"N"), f"{EXPECTED}, found no bytes in it"),
        (Array(ROWS, content=b"X\x03\0\0\0\xe2\x82\xac"), f"{EXPECTED}, found no bytes in it"),
        (Array(ROWS, content=b"NN"), EXPECTED),
    ],
)
def test_wrong_array(value, message):
    with pytest.raises(DatasetError, match=f"batch is damaged: {message}"):
        read_rows(value)


@pytest.mark.parametrize("value", [3, {}, "cat", [1, "cat"], [None]])
def test_wrong_list(value):
    with pytest.raises(
        DatasetError, match="batch is damaged: expected a list of int under 'labels'"
    ):
        list_field(FILE, {"labels": value}, "labels", int)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>404 not found</html>",
        python2_pickle({"data": ROWS})[:-1],
        b"\x80\x02cnumpy\nndarray\nNb.",
        b"\x80\x02}]Ns.",
        b"\x80\x02Vno tuple\nNR.",
    ],
)
def test_damaged(content):
    with pytest.raises(DatasetError, match="batch is damaged: it cannot be unpickled"):
        unpickle(FILE, content)


def test_not_a_dict():
    with pytest.raises(DatasetError, match="batch is damaged: expected a pickled dict, found list"):
        unpickle(FILE, python2_pickle([1]))


class Harmful:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


def test_pickles_run_no_code(tmp_path):
    trace = tmp_path / "trace"
    content = pickle.dumps({"data": Harmful(trace)}, protocol=2)
    with pytest.raises(
        DatasetError,
        match=r"batch is damaged: it cannot be unpickled "
        rf"\(it asks for {os.name}.mkdir, which no such file needs; refused\)",
    ):
        unpickle(FILE, content)
    assert not trace.exists()


def test_dtype_state_is_not_applied():
    """NumPy would set these flags, of an object array, on its one dtype uint8."""
    content = python2_pickle({"data": ROWS})
    flags = b"J\0\0\0\0tb\x89"
    assert content.count(flags) == 1
    entry = unpickle(FILE, content.replace(flags, flags.replace(b"J\0", b"J\x3f")))
    np.testing.assert_array_equal(byte_rows(FILE, entry, "data", 5), ROWS, strict=True)
    assert not np.dtype(np.uint8).hasobject
