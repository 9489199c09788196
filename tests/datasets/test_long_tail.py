"""long_tail_counts."""

import numpy as np
import pytest

from skactive.datasets import long_tail_counts, make_imbalanced

Y = np.random.default_rng(0).permutation(np.repeat([3, 5, 7, 9, 11], [100, 120, 150, 130, 110]))


@pytest.mark.parametrize("ratio", [1, 0.5, 0.02, 1e-6])
def test_counts_fall_off_exponentially(ratio):
    found = long_tail_counts(Y, ratio, order=[7, 3, 11, 5, 9])
    assert list(found) == [7, 3, 11, 5, 9]
    expected = [max(1, round(100 * ratio ** (i / 4))) for i in range(5)]
    assert list(found.values()) == expected
    assert all(type(n) is int and type(c) is int for c, n in found.items())


def test_the_order_is_drawn_by_the_seed_and_the_counts_are_not():
    orders = [tuple(long_tail_counts(Y, random_state=seed)) for seed in range(40)]
    assert len(set(orders)) > 20
    assert {order[0] for order in orders} == {3, 5, 7, 9, 11}
    assert tuple(long_tail_counts(Y, random_state=7)) == orders[7]
    counts = {tuple(long_tail_counts(Y, random_state=seed).values()) for seed in range(40)}
    assert len(counts) == 1


def test_any_order_can_be_drawn_from_y():
    for seed in range(5):
        counts = long_tail_counts(Y, 0.1, random_state=seed)
        _, y = make_imbalanced(np.arange(len(Y)), Y, counts, random_state=seed)
        assert dict(zip(*np.unique(y, return_counts=True), strict=True)) == counts


def test_classes_may_be_words_and_one():
    assert long_tail_counts(["cat"] * 4 + ["dog"] * 3, 0.5, order=["dog", "cat"]) == {
        "dog": 3,
        "cat": 2,
    }
    assert long_tail_counts([1, 1, 1], 0.1) == {1: 3}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ratio": 0}, "'ratio'.*above 0, and at most 1.*Got 0"),
        ({"ratio": 1.5}, "'ratio'"),
        ({"ratio": float("nan")}, "'ratio'"),
        ({"ratio": True}, "'ratio'"),
        ({"ratio": "0.1"}, "'ratio'"),
        ({"order": [3, 5, 7]}, "'order'.*the 5 classes of y, each once"),
        ({"order": [3, 5, 7, 9, 9]}, "'order'"),
        ({"order": [3, 5, 7, 9, 12]}, "'order'"),
        ({"order": "random"}, "'order'"),
    ],
)
def test_messages(given, message):
    with pytest.raises(ValueError, match=message):
        long_tail_counts(Y, **given)
