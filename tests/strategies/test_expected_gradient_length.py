"""ExpectedGradientLength against one backward pass a sample, and its parameters."""

import numpy as np
import pytest

from skactive import CNNClassifier, ExpectedGradientLength
from tests.strategies.gradient_lengths import POOL, fitted, naive_utilities


@pytest.mark.parametrize("norm", ["global", "layer_sum"])
def test_the_longest_gradients(norm):
    clf = fitted(CNNClassifier)
    selection = ExpectedGradientLength(norm=norm, batch_size=7).select(clf, POOL, 6)
    expected = naive_utilities(clf, "expected", norm)
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-9)
    np.testing.assert_array_equal(selection.indices, np.argsort(-expected)[:6])


def test_the_whole_gradient_and_the_whole_pool_by_default():
    clf = fitted(CNNClassifier)
    utilities = ExpectedGradientLength().select(clf, POOL, 6).utilities
    np.testing.assert_allclose(utilities, naive_utilities(clf, "expected", "global"), rtol=1e-9)
    subset = ExpectedGradientLength(subset=9, random_state=0).select(clf, POOL, 6).utilities
    assert np.isfinite(subset).sum() == 9


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"norm": "sum"}, "'norm' parameter of ExpectedGradientLength"),
        ({"subset": 3}, "from 1 to 3 .the size of subset.* raise subset"),
    ],
)
def test_errors(params, match):
    with pytest.raises(ValueError, match=match):
        ExpectedGradientLength(**params).select(fitted(CNNClassifier), POOL, 4)
