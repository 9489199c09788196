"""The randomness of both helpers: seeded, and apart from NumPy's global generator."""

import numpy as np
import pytest

from skactive._validation import InvalidParameterError
from skactive.datasets import initial_positions, make_imbalanced

Y = np.repeat(np.arange(5), 100)


def imbalanced(random_state):
    return make_imbalanced(np.arange(len(Y)), Y, [9, 8, 7, 6, 5], random_state=random_state)[0]


def over_all(random_state):
    return initial_positions(Y, 30, random_state=random_state)


def per_class(random_state):
    return initial_positions(Y, 6, per_class=True, random_state=random_state)


HELPERS = [imbalanced, over_all, per_class]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize(
    "seed", [int, np.int64, np.random.default_rng, np.random.RandomState], ids=lambda s: s.__name__
)
def test_same_seed_same_draw(helper, seed):
    np.testing.assert_array_equal(helper(seed(7)), helper(seed(7)))
    assert not np.array_equal(helper(seed(7)), helper(seed(8)))


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators_go_on(helper, make):
    generator = make(0)
    assert not np.array_equal(helper(generator), helper(generator))


@pytest.mark.parametrize("helper", HELPERS)
def test_none_draws_differently(helper):
    np.random.seed(0)
    first = helper(None)
    np.random.seed(0)
    assert not np.array_equal(first, helper(None))


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("random_state", [None, 3])
def test_global_generator_is_untouched(helper, random_state):
    before = np.random.get_state()
    helper(random_state)
    after = np.random.get_state()
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize(
    ("random_state", "message"),
    [
        ("seed", "must be an int, a Generator, a RandomState or None. Got 'seed' instead."),
        (0.5, "must be an int, a Generator, a RandomState or None. Got 0.5 instead."),
        (-1, "must be an int of at least 0. Got -1 instead."),
        (True, "must be an int of at least 0. Got True instead."),
    ],
)
def test_wrong_random_state(helper, random_state, message):
    with pytest.raises(InvalidParameterError, match=f"The 'random_state' parameter .* {message}"):
        helper(random_state)
