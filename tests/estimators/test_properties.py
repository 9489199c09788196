"""What must not matter to a classifier, on inputs that hypothesis chooses."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skactive import CNNClassifier, LPLClassifier
from tests import properties  # noqa: F401 - the profile

N, SIDE = 12, 9
RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
KINDS = {
    "bytes": BYTES,
    "floats": (BYTES / 255).astype(np.float32),
    "rows": RANDOM.normal(size=(N, 5)).astype(np.float32),
}
CODES = np.arange(N) % 3
# The same three classes, in the same order.
LABELS = {
    "int64": CODES,
    "int8": CODES.astype(np.int8),
    "uint16": CODES.astype(np.uint16),
    "floats": CODES.astype(np.float64),
    "big-endian": CODES.astype(">i4"),
    "list": CODES.tolist(),
    "tensor": torch.as_tensor(CODES),
    "Series": pd.Series(CODES, index=np.arange(N)[::-1]),
    "text": np.array(["ape", "bee", "cat"])[CODES],
    "objects": np.array(["ape", "bee", "cat"], dtype=object)[CODES],
    "Categorical": pd.Series(pd.Categorical.from_codes(CODES, ["ape", "bee", "cat"])),
}


def make(cls=CNNClassifier):
    return cls(max_epochs=2, batch_size=4, random_state=0, device="cpu")


@functools.cache
def fitted(kind, cls=CNNClassifier):
    return make(cls).fit(KINDS[kind], CODES)


@functools.cache
def expected(kind):
    return fitted(kind).predict_proba(KINDS[kind])


def strided(X):
    """The same numbers behind strides of -1 and 2."""
    wide = np.zeros((2 * len(X), *X.shape[1:]), X.dtype)
    wide[::2] = X[::-1]
    return wide[::2][::-1]


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


CONTAINERS = {
    "array": np.array,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "read-only": read_only,
    "tensor": lambda X: torch.as_tensor(X.copy()),
    "list of arrays": list,
    "list of tensors": lambda X: [torch.as_tensor(x.copy()) for x in X],
    "nested lists": lambda X: X.tolist(),
}


def assert_close(found, wanted):  # sizes and places in memory change how floats are rounded
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


samples = st.lists(st.integers(0, N - 1), min_size=1, max_size=N)


@given(
    kind=st.sampled_from(["bytes", "floats"]),
    container=st.sampled_from([name for name in CONTAINERS if name != "nested lists"]),
    some=samples,
    size=st.integers(1, N + 1),
)
def test_images_in_any_container_in_any_order_at_any_batch_size(kind, container, some, size):
    X = CONTAINERS[container](KINDS[kind][some])
    clf = fitted(kind)
    before, clf.predict_batch_size = clf.predict_batch_size, size
    try:
        assert_close(clf.predict_proba(X), expected(kind)[some])
    finally:
        clf.predict_batch_size = before


@given(
    container=st.sampled_from(sorted(CONTAINERS)),
    dtype=st.sampled_from(["<f4", ">f4", "<f8", ">f8"]),
    some=samples,
)
def test_rows_in_any_container_and_byte_order(container, dtype, some):
    rows = KINDS["rows"][some].astype(dtype)
    if "tensor" in container:  # torch knows the machine's byte order only
        rows = rows.astype(rows.dtype.newbyteorder("="))
    assert_close(fitted("rows").predict_proba(CONTAINERS[container](rows)), expected("rows")[some])


@given(dtype=st.sampled_from(["<f4", ">f4", "<f8", ">f8"]), some=samples)
def test_images_of_floats_in_any_precision_and_byte_order(dtype, some):
    X = KINDS["floats"][some].astype(dtype)
    assert_close(fitted("floats").predict_proba(X), expected("floats")[some])


@pytest.mark.parametrize("cls", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_fits_on_either_layout_are_the_same(cls, kind):
    first = np.ascontiguousarray(KINDS[kind].transpose(0, 3, 1, 2))
    found = make(cls).fit(first, CODES).predict_proba(first)
    wanted = fitted(kind, cls).predict_proba(KINDS[kind])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("labels", LABELS)
def test_fits_on_any_kind_of_labels_are_the_same(labels):
    clf = make().fit(KINDS["bytes"], LABELS[labels])
    assert_close(clf.predict_proba(BYTES), expected("bytes"))
    codes = {label: code for code, label in enumerate(clf.classes_.tolist())}
    found = [codes[label] for label in clf.predict(BYTES).tolist()]
    np.testing.assert_array_equal(found, expected("bytes").argmax(1))


@given(container=st.sampled_from(sorted(CONTAINERS)), kind=st.sampled_from(sorted(KINDS)))
def test_fits_on_any_container_are_the_same(container, kind):
    if (container, kind) in {("nested lists", "bytes"), ("nested lists", "floats")}:
        kind = "rows"  # lists of numbers are not taken for images: their dtype is not known
    assert_close(_fit(container, kind), expected(kind))


@functools.cache
def _fit(container, kind):
    return make().fit(CONTAINERS[container](KINDS[kind]), CODES).predict_proba(KINDS[kind])
