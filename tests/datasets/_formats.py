"""Writers of small files in the sources' formats, independent of the readers under test."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(array, *, magic=None, shape=None):
    """IDX: big-endian magic number (type 8, number of dimensions), the dimensions, the bytes."""
    magic = 0x800 + array.ndim if magic is None else magic
    shape = array.shape if shape is None else shape
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes()


def write_idx_folder(folder, *, n_train=12, n_test=5, compress=False):
    """Write the four files of MNIST, return what is in them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    content = {}
    for split, n in (("train", n_train), ("t10k", n_test)):
        arrays = (
            rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
            rng.integers(0, 10, n, dtype=np.uint8),
        )
        names = (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte")
        for name, array in zip(names, arrays, strict=True):
            content[name] = array
            data = idx_bytes(array)
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / name).write_bytes(data)
    return content


def python2_pickle(value):
    """Pickle as Python 2's protocol 2 with NumPy 1 did, which is what CIFAR's files hold.

    Python 3 writes other opcodes for bytes and names another module for arrays.
    """
    return b"\x80\x02" + _opcodes(value) + b"."


def _string(data):
    return b"T" + struct.pack("<i", len(data)) + data  # BINSTRING


def _int(number):
    return b"J" + struct.pack("<i", number)  # BININT


def _tuple(*parts):
    return b"(" + b"".join(parts) + b"t"


class Array:
    """An array to pickle with a part of its state replaced by opcodes."""

    def __init__(self, array, *, shape=None, fortran=b"\x89", content=None):
        self.array = array
        self.shape = _tuple(*(_int(n) for n in array.shape)) if shape is None else shape
        self.fortran = fortran
        self.content = _string(array.tobytes()) if content is None else content

    def opcodes(self):
        dtype = (
            b"cnumpy\ndtype\n"
            + _tuple(_string(self.array.dtype.str[1:].encode()), _int(0), _int(1))
            + b"R"
            + _tuple(_int(3), _string(b"|"), b"N", b"N", b"N", _int(-1), _int(-1), _int(0))
            + b"b"
        )
        empty = _tuple(b"cnumpy\nndarray\n", _tuple(_int(0)), _string(b"b"))
        state = _tuple(_int(1), self.shape, dtype, self.fortran, self.content)
        return b"cnumpy.core.multiarray\n_reconstruct\n" + empty + b"R" + state + b"b"


def _opcodes(value):
    if isinstance(value, Array):
        return value.opcodes()
    if isinstance(value, np.ndarray):
        return Array(value).opcodes()
    if isinstance(value, dict):
        items = b"".join(_opcodes(key) + _opcodes(item) for key, item in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(_opcodes(item) for item in value) + b"e"
    if isinstance(value, str):
        return _string(value.encode("latin1"))
    return _int(value)


CIFAR10_FILES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def write_cifar10(folder, *, n=3):
    """Write CIFAR-10's folder, return the rows and labels of each batch by file name."""
    return _write_cifar(folder, CIFAR10_FILES, "batches.meta", "labels", "label_names", 10, n)


def write_cifar100(folder, *, n=7):
    """Write CIFAR-100's folder, return the rows and fine labels of each file by its name."""
    files = ["train", "test"]
    return _write_cifar(folder, files, "meta", "fine_labels", "fine_label_names", 100, n)


def _write_cifar(folder, files, meta, labels_key, names_key, n_classes, n):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    content = {}
    for name in files:
        rows = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
        labels = rng.integers(0, n_classes, n).tolist()
        content[name] = rows, labels
        entry = {"batch_label": name, labels_key: labels, "data": rows, "coarse_labels": [0] * n}
        (folder / name).write_bytes(python2_pickle(entry))
    names = [f"class {c}" for c in range(n_classes)]
    (folder / meta).write_bytes(python2_pickle({names_key: names, "num_vis": 3072}))
    return content


def write_svhn(folder: Path, *, n_train=11, n_test=4):
    """Write SVHN's two MATLAB files, return the images (H, W, C, N) and labels (N, 1)."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    content = {}
    for split, n in (("train", n_train), ("test", n_test)):
        X = rng.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        y = (np.arange(n, dtype=np.uint8) % 10 + 1)[:, None]
        savemat(folder / f"{split}_32x32.mat", {"X": X, "y": y}, do_compression=True)
        content[split] = X, y
    return content
