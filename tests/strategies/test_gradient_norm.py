"""GradientNorm against one backward pass a sample, and its parameters."""

import numpy as np
import pytest

from skactive import CNNClassifier, ExpectedGradientLength, GradientNorm
from tests.strategies.gradient_lengths import POOL, fitted, naive_utilities


@pytest.mark.parametrize("norm", ["global", "layer_sum"])
def test_the_longest_gradients(norm):
    clf = fitted(CNNClassifier)
    selection = GradientNorm(norm=norm, batch_size=7).select(clf, POOL, 6)
    expected = naive_utilities(clf, "predicted", norm)
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-9)
    np.testing.assert_array_equal(selection.indices, np.argsort(-expected)[:6])


def test_the_whole_gradient_and_the_whole_pool_by_default():
    clf = fitted(CNNClassifier)
    utilities = GradientNorm().select(clf, POOL, 6).utilities
    np.testing.assert_allclose(utilities, naive_utilities(clf, "predicted", "global"), rtol=1e-9)
    subset = GradientNorm(subset=9, random_state=0).select(clf, POOL, 6).utilities
    assert np.isfinite(subset).sum() == 9


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"norm": "sum"}, "'norm' parameter of GradientNorm"),
        ({"subset": 3}, "from 1 to 3 .the size of subset.* raise subset"),
    ],
)
def test_errors(params, match):
    with pytest.raises(ValueError, match=match):
        GradientNorm(**params).select(fitted(CNNClassifier), POOL, 4)


def test_no_label_has_a_shorter_gradient_on_the_last_layer():
    clf = fitted(CNNClassifier)
    module = clf.module_
    body = [p for name, p in module.named_parameters() if not name.startswith("network.fc")]
    try:
        for parameter in body:
            parameter.requires_grad_(False)
        predicted = GradientNorm().select(clf, POOL, 1).utilities
        expected = ExpectedGradientLength().select(clf, POOL, 1).utilities
    finally:
        for parameter in body:
            parameter.requires_grad_(True)
    assert (predicted <= expected * (1 + 1e-9)).all()
