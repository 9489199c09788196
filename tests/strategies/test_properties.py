"""Properties of strategies, on pools, parts, batches and orders that hypothesis chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skactive import BAIT, BatchBALD, CoreSet, PowerBALD
from skactive.strategies.base._monte_carlo import MonteCarloUtility
from skactive.strategies.base._probabilities import ProbabilityStrategy
from skactive.strategies.base._subset import SubsetStrategy
from skactive.testing._setting import tiny_images
from tests import properties  # noqa: F401 - the profile
from tests.test_common import STRATEGIES, X_TRAIN, Y_TRAIN, classifier, fitted_once, make

POOL = tiny_images(24, seed=3)[0]
# A utility is the sample's own: of networks, or of draws of one under the same masks.
OF_SAMPLES = [
    cls
    for cls in STRATEGIES
    if issubclass(cls, (ProbabilityStrategy, MonteCarloUtility, SubsetStrategy))
    and cls is not PowerBALD  # its noise goes by position
]
pytestmark = pytest.mark.slow  # each example queries a network; there are many strategies
each = pytest.mark.parametrize("cls", OF_SAMPLES, ids=lambda cls: cls.__name__)
parts = st.lists(st.integers(0, 23), min_size=1, max_size=24, unique=True)


def select(strategy, cls, pool, n=1):
    labelled = {"X_labelled": X_TRAIN, "y_labelled": Y_TRAIN}
    return strategy.select(fitted_once(classifier(cls)), pool, n, **labelled)


def utilities(cls, pool, **params):
    return select(make(cls, **params), cls, pool).utilities


def assert_close(found, expected):  # networks compute in single precision
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@each
@given(size=st.integers(1, 30), n=st.integers(1, 24))
def test_utilities_do_not_depend_on_the_batch_size(cls, size, n):
    assert_close(utilities(cls, POOL[:n], batch_size=size), utilities(cls, POOL[:n]))


@each
@given(some=parts)
def test_utilities_do_not_depend_on_the_rest_of_the_pool_or_on_its_order(cls, some):
    assert_close(utilities(cls, POOL[some]), utilities(cls, POOL)[some])


# The first picks of BAIT and FisherMask depend on the batch: it weighs against what is labelled.
GREEDY = [
    *(make(cls) for cls in OF_SAMPLES),
    CoreSet(),
    BatchBALD(n_passes=4, random_state=0),
]


@pytest.mark.parametrize("strategy", GREEDY, ids=lambda strategy: type(strategy).__name__)
@given(n=st.integers(1, 11), more=st.integers(1, 12))
def test_a_larger_batch_extends_a_smaller_one(strategy, n, more):
    small, large = (select(strategy, type(strategy), POOL, k).indices for k in (n, n + more))
    np.testing.assert_array_equal(large[:n], small)


@pytest.mark.parametrize(
    "strategy",
    [*(make(cls) for cls in OF_SAMPLES), CoreSet(), BAIT()],
    ids=lambda strategy: type(strategy).__name__,
)
@given(order=st.permutations(range(24)))
def test_a_permuted_pool_gives_permuted_picks(strategy, order):
    """No two of these images are alike; picks of equal utility may change places."""
    order = np.array(order)
    before = select(strategy, type(strategy), POOL, 6)
    after = select(strategy, type(strategy), POOL[order], 6)
    if before.utilities is None:
        np.testing.assert_array_equal(order[after.indices], before.indices)
    else:
        assert_close(after.utilities[after.indices], before.utilities[before.indices])
        assert_close(before.utilities[order[after.indices]], before.utilities[before.indices])
