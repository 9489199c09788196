"""LPLGrad against one backward pass a sample, and its parameters."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import CNNClassifier, LPLClassifier, LPLGrad
from tests.strategies.gradient_lengths import POOL, X_TRAIN, Y_TRAIN, fitted, naive_utilities


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("score", ["entropy", "expected"])
@pytest.mark.parametrize("norm", ["layer_sum", "global"])
def test_the_longest_gradients(kind, score, norm):
    clf = fitted(kind)
    selection = LPLGrad(score=score, norm=norm, batch_size=7).select(clf, POOL, 6)
    expected = naive_utilities(clf, score, norm)
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-9)
    np.testing.assert_array_equal(selection.indices, np.argsort(-expected)[:6])
    assert selection.gains is None


def test_a_random_subset():
    clf = fitted(CNNClassifier)
    everywhere = naive_utilities(clf, "entropy", "layer_sum")
    subsets = []
    for seed in (0, 0, 1):
        selection = LPLGrad(subset=20, random_state=seed).select(clf, POOL, 5)
        scored = np.flatnonzero(~np.isnan(selection.utilities))
        assert len(scored) == 20
        np.testing.assert_allclose(selection.utilities[scored], everywhere[scored], rtol=1e-9)
        best = scored[np.argsort(-everywhere[scored])[:5]]
        np.testing.assert_array_equal(selection.indices, best)
        subsets.append(scored.tolist())
    assert subsets[0] == subsets[1] != subsets[2]
    assert not np.isnan(LPLGrad(subset=None).select(clf, POOL, 5).utilities).any()
    with pytest.raises(
        ValueError, match=r"'n_instances' parameter of LPLGrad .* from 1 to 20 \(the size of subset"
    ):
        LPLGrad(subset=20).select(clf, POOL, 21)


def test_a_pipeline():
    rows, pool = X_TRAIN.reshape(len(X_TRAIN), -1), POOL.reshape(len(POOL), -1)
    pipeline = make_pipeline(StandardScaler(), LPLClassifier(max_epochs=1, random_state=0))
    pipeline.fit(rows, Y_TRAIN)
    inner = LPLGrad().select(pipeline[-1], pipeline[:-1].transform(pool), 4)
    found = LPLGrad().select(pipeline, pool, 4)
    np.testing.assert_array_equal(found.indices, inner.indices)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"score": "predicted"}, "'score' parameter of LPLGrad"),
        ({"norm": "sum"}, "'norm' parameter of LPLGrad"),
        ({"subset": 0}, "'subset' parameter of LPLGrad"),
    ],
)
def test_errors(params, match):
    with pytest.raises(ValueError, match=match):
        LPLGrad(**params).select(fitted(CNNClassifier), POOL, 2)
