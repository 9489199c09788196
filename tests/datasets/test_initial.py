"""initial_positions."""

import re

import numpy as np
import pytest

from skactive._validation import InvalidParameterError
from skactive.datasets import initial_positions

Y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 30, 9]))


def test_over_all():
    start = initial_positions(Y, 20, random_state=0)
    assert start.shape == (20,)
    assert start.dtype == np.int64
    assert len(np.unique(start)) == 20
    assert start.min() >= 0
    assert start.max() < len(Y)
    assert sorted(initial_positions(Y, len(Y), random_state=0)) == list(range(len(Y)))


def test_per_class():
    start = initial_positions(Y, 9, per_class=True, random_state=0)
    assert start.dtype == np.int64
    assert len(np.unique(start)) == 27
    assert np.bincount(Y[start]).tolist() == [9, 9, 9]
    assert np.count_nonzero(np.diff(Y[start])) > 4  # shuffled: sorted by class it would be 2


@pytest.mark.parametrize("per_class", [False, True])
def test_a_larger_n_contains_the_smaller(per_class):
    small = initial_positions(Y, 3, per_class=per_class, random_state=4)
    large = initial_positions(Y, 8, per_class=per_class, random_state=4)
    assert set(small.tolist()) < set(large.tolist())


def test_every_sample_is_chosen_equally_often():
    y = np.array([0, 0, 0, 0, 1, 1])
    chosen, chosen_per_class = np.zeros(6), np.zeros(6)
    for seed in range(2000):
        chosen[initial_positions(y, 3, random_state=seed)] += 1
        chosen_per_class[initial_positions(y, 1, per_class=True, random_state=seed)] += 1
    np.testing.assert_allclose(chosen / 2000, 0.5, atol=0.05)
    np.testing.assert_allclose(chosen_per_class / 2000, [0.25] * 4 + [0.5] * 2, atol=0.05)


def test_string_labels():
    y = ["b", "a", "b", "a"]
    assert sorted(initial_positions(y, 2, per_class=True, random_state=0)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("y", "n", "options", "message"),
    [
        (Y, 90, {}, "'n' .* must be an int from 1 to 89 (the number of samples in y). Got 90"),
        (
            Y,
            10,
            {"per_class": True},
            "'n' .* must be an int from 1 to 9 (the number of samples of class 2, the fewest in "
            "y). Got 10 instead. Ask for fewer of each class, or pass per_class=False.",
        ),
        (Y, 0, {}, "'n' .* must be an int from 1 to 89"),
        (Y, 2.5, {"per_class": True}, "'n' .* must be an int from 1 to 9"),
        (Y, 2, {"per_class": "yes"}, "'per_class' .* must be True or False. Got 'yes'"),
        (Y[:0], 1, {}, "'y' .* must be 1-D and not empty"),
        (Y[None], 1, {}, "'y' .* must be 1-D and not empty"),
    ],
)
def test_errors(y, n, options, message):
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(InvalidParameterError, match=pattern):
        initial_positions(y, n, **options)
