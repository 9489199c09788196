"""make_imbalanced."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from skactive._validation import InvalidParameterError
from skactive.datasets import make_imbalanced

Y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3, 4], [30, 60, 30, 30, 10]))
X = np.arange(len(Y) * 4).reshape(len(Y), 2, 2)
COUNTS = {0: 5, 1: 50, 2: 5, 3: 5}


def test_counts():
    X_new, y_new = make_imbalanced(X, Y, COUNTS, random_state=0)
    assert X_new.shape == (65, 2, 2)
    assert np.bincount(y_new).tolist() == [5, 50, 5, 5]
    positions = X_new[:, 0, 0] // 4
    assert len(set(positions.tolist())) == 65
    np.testing.assert_array_equal(Y[positions], y_new)
    np.testing.assert_array_equal(X[positions], X_new)


def test_order_is_shuffled():
    _, y_new = make_imbalanced(X, Y, COUNTS, random_state=0)
    assert np.count_nonzero(np.diff(y_new)) > 5  # sorted by class it would be 3
    positions = make_imbalanced(np.arange(len(Y)), Y, COUNTS, random_state=0)[0]
    assert np.any(np.diff(positions) < 0)


def test_every_sample_is_drawn_equally_often():
    y = np.repeat([0, 1], [6, 3])
    drawn = np.zeros(9)
    rng = np.random.default_rng(0)
    for _ in range(3000):
        drawn[make_imbalanced(np.arange(9), y, {0: 2, 1: 1}, random_state=rng)[0]] += 1
    np.testing.assert_allclose(drawn / 3000, 1 / 3, atol=0.04)  # four standard errors


def test_sequence_of_counts():
    for counts in ([1, 2, 3, 0, 4], (1, 2, 3, 0, 4), np.array([1, 2, 3, 0, 4])):
        _, y_new = make_imbalanced(X, Y, counts, random_state=0)
        assert np.bincount(y_new).tolist() == [1, 2, 3, 0, 4]


def test_dict_order_and_key_type_do_not_matter():
    first, _ = make_imbalanced(X, Y, COUNTS, random_state=3)
    reverse = {np.int64(c): np.int32(n) for c, n in reversed(COUNTS.items())}
    second, _ = make_imbalanced(X, Y, reverse, random_state=3)
    np.testing.assert_array_equal(first, second)


def test_larger_counts_contain_smaller():
    positions = np.arange(len(Y))
    small, _ = make_imbalanced(positions, Y, {0: 3, 1: 7}, random_state=5)
    large, _ = make_imbalanced(positions, Y, {0: 9, 1: 8, 4: 2}, random_state=5)
    assert set(small.tolist()) < set(large.tolist())


def test_string_classes():
    y = np.array(["cat", "dog", "cat", "cow", "cat"])
    _, y_new = make_imbalanced(np.arange(5), y, {"cat": 2, "cow": 1}, random_state=0)
    assert sorted(y_new.tolist()) == ["cat", "cat", "cow"]


def test_kinds_are_kept():
    expected, y_expected = make_imbalanced(X, Y, COUNTS, random_state=1)
    tensor, y_tensor = make_imbalanced(
        torch.from_numpy(X), torch.from_numpy(Y), COUNTS, random_state=1
    )
    assert isinstance(tensor, torch.Tensor)
    assert isinstance(y_tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), expected)
    np.testing.assert_array_equal(y_tensor.numpy(), y_expected)

    names = [f"{i}.png" for i in range(len(Y))]
    listed, y_listed = make_imbalanced(names, Y.tolist(), COUNTS, random_state=1)
    assert type(listed) is type(y_listed) is list
    assert listed == [names[i] for i in expected[:, 0, 0] // 4]
    assert y_listed == y_expected.tolist()
    paired, y_paired = make_imbalanced(tuple(names), tuple(Y.tolist()), COUNTS, random_state=1)
    assert paired == tuple(listed)
    assert y_paired == tuple(y_listed)

    frame = pd.DataFrame({"name": names}, index=np.arange(len(Y)) + 1000)
    framed, y_framed = make_imbalanced(frame, pd.Series(Y), COUNTS, random_state=1)
    assert isinstance(framed, pd.DataFrame)
    assert isinstance(y_framed, pd.Series)
    assert framed["name"].tolist() == listed
    assert y_framed.tolist() == y_listed


def test_input_is_not_changed():
    X_given, y_given = X.copy(), Y.copy()
    X_new, y_new = make_imbalanced(X_given, y_given, COUNTS, random_state=1)
    X_new[:], y_new[:] = -1, -1
    np.testing.assert_array_equal(X_given, X)
    np.testing.assert_array_equal(y_given, Y)


def test_too_few_samples():
    message = (
        "The 'counts[4]' parameter of make_imbalanced must be an int from 0 to 10 "
        "(y has 10 samples of class 4). Got 11 instead. "
        "Ask for fewer samples of class 4, or pass more data."
    )
    with pytest.raises(InvalidParameterError, match=f"^{re.escape(message)}$"):
        make_imbalanced(X, Y, {0: 3, 4: 11})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {0: 3, 7: 1},
            r"'counts' .* must be a dict whose keys are classes of y, \[0, 1, 2, 3, 4\]",
        ),
        ([1, 2, 3], "'counts' .* must be one count for each of the 5 classes of y.* Pass a dict"),
        (3, "'counts' .* must be a dict or a sequence of counts. Got 3"),
        ("12345", "'counts' .* must be a dict or a sequence of counts. Got '12345'"),
        ({}, "'counts' .* must be at least 1 for some class. Got {}"),
        ([0] * 5, r"'counts' .* must be at least 1 for some class. Got {0: 0"),
        ({0: -1}, r"'counts\[0\]' .* must be an int from 0 to 30 .* Got -1"),
        ({0: 2.0}, r"'counts\[0\]' .* must be an int from 0 to 30 .* Got 2.0"),
    ],
)
def test_wrong_counts(counts, message):
    with pytest.raises(InvalidParameterError, match=message):
        make_imbalanced(X, Y, counts)


@pytest.mark.parametrize(
    ("X_given", "y_given", "message"),
    [
        (X[:-1], Y, "'X' .* must be as long as y, 160 samples. .* It has 159 samples."),
        (["a"], Y, "'X' .* must be as long as y, 160 samples. .* It has 1 samples."),
        (iter(X), Y, "'X' .* must be an array of samples, a list or a tuple"),
        (np.array(3), Y, "'X' .* must be an array of samples, a list or a tuple"),
        (X, Y[:, None], r"'y' .* must be 1-D and not empty. Got an array of shape \(160, 1\)"),
        (X[:0], Y[:0], "'y' .* must be 1-D and not empty"),
    ],
)
def test_wrong_data(X_given, y_given, message):
    with pytest.raises(InvalidParameterError, match=message):
        make_imbalanced(X_given, y_given, COUNTS)
