"""BAIT against the published loop, and against FisherMask on the last layer alone."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn

from skactive import BAIT, CNNClassifier, FisherMask
from skactive.fisher import choose_rank, greedy_fisher, last_layer_factors, target_weights
from skactive.gradients import head_inputs
from tests import oracles


@pytest.fixture(scope="module")
def fitted():
    """A small CNN in float64, so that picks can be compared one by one."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 1, 8, 8)), np.arange(60) % 3
    X[np.arange(60), 0, y * 2] += 0.5
    clf = CNNClassifier("small_cnn", module_params={"width": 3}, max_epochs=5, random_state=0)
    clf.set_params(channels="first").fit(X[:12], y[:12])
    clf.module_.double()
    return clf, X


def last_rows(clf, X):
    """V on the last layer, naively."""
    n_last = sum(p.numel() for p in clf.module_.network.fc.parameters())
    return oracles.naive_rows(clf.module_, torch.as_tensor(X))[:, :, -n_last:].numpy()


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("params", [{}, {"oversample": 1.0, "regularization": 0.1}])
def test_picks_are_those_of_the_published_loop(fitted, params, labelled):
    clf, X = fitted
    found = BAIT(**params).select(clf, X[12:], 6, X_labelled=X[:12] if labelled else None)
    both = np.concatenate([X[12:], X[:12]]) if labelled else X[12:]
    V = last_rows(clf, both)
    expected = oracles.published_greedy(
        V,
        6,
        np.arange(48),
        np.arange(48, len(both)),
        params.get("regularization", 1.0),
        int(6 * params.get("oversample", 2.0)),
    )
    assert found.indices.tolist() == expected
    assert found.utilities is None


def test_it_is_fisher_mask_on_the_last_layer(fitted):
    clf, X = fitted
    mask = FisherMask(mask="head", oversample=2.0)
    found = [s.select(clf, X[12:], 8, X_labelled=X[:12]) for s in (mask, BAIT())]
    np.testing.assert_array_equal(found[0].indices, found[1].indices)
    np.testing.assert_allclose(found[0].gains, found[1].gains, rtol=1e-8)


def test_components_are_those_of_the_functions(fitted):
    """That these are the top eigenvectors is in tests/fisher/test_components.py."""
    clf, X = fitted
    found = BAIT(components=4).select(clf, X[12:], 6, X_labelled=X[:12])
    V = last_rows(clf, X)
    expected = greedy_fisher(
        V, 6, labelled=np.arange(12), candidates=np.arange(12, 60), components=4, oversample=2.0
    )
    np.testing.assert_array_equal(found.indices, expected.indices - 12)
    assert 0 < found.kept["components"] < 1
    assert found.kept["components"] == pytest.approx(expected.kept)
    mask = FisherMask(mask="head", components=4, oversample=2.0)
    again = mask.select(clf, X[12:], 6, X_labelled=X[:12])
    np.testing.assert_array_equal(again.indices, found.indices)
    assert again.kept == pytest.approx(found.kept)
    assert BAIT().select(clf, X[12:], 6).kept == {}


@pytest.mark.parametrize("rank", [1, "auto"])
def test_rank_is_that_of_the_functions(fitted, rank):
    clf, X = fitted
    found = BAIT(rank=rank, components=3).select(clf, X[12:], 6, X_labelled=X[:12])
    head = head_inputs(clf.module_, X)
    r, kept = choose_rank(head.logits[12:], rank)
    V = last_layer_factors(head.logits, head.inputs, rank=r)
    assert V.shape[1] == r
    expected = greedy_fisher(V, 6, labelled=np.arange(12), components=3, oversample=2.0)
    np.testing.assert_array_equal(found.indices, expected.indices - 12)
    assert found.kept == {
        "rank": pytest.approx(kept),
        "components": pytest.approx(expected.kept),
    }
    mask = FisherMask(mask="head", rank=rank, components=3, oversample=2.0)
    again = mask.select(clf, X[12:], 6, X_labelled=X[:12])
    np.testing.assert_array_equal(again.indices, found.indices)
    assert again.kept == pytest.approx(found.kept)
    all_rows = BAIT(rank=2).select(clf, X[12:], 6, X_labelled=X[:12])
    exact = BAIT().select(clf, X[12:], 6, X_labelled=X[:12])
    np.testing.assert_array_equal(all_rows.indices, exact.indices)
    assert all_rows.kept == {"rank": pytest.approx(1)}


@pytest.mark.parametrize("curvature", ["blocks", "binary"])
def test_curvature_is_that_of_the_functions(fitted, curvature):
    clf, X = fitted
    head = head_inputs(clf.module_, X)
    V = last_layer_factors(head.logits, head.inputs, curvature=curvature)
    given = {"regularization": 0.1, "oversample": 1.5}
    found = BAIT(curvature=curvature, **given).select(clf, X[12:], 6, X_labelled=X[:12])
    expected = greedy_fisher(V, 6, labelled=np.arange(12), **given)
    np.testing.assert_array_equal(found.indices, expected.indices - 12)
    weights = np.zeros(60)
    weights[:12] = target_weights(head.logits[:12].softmax(1))
    balanced = BAIT(curvature=curvature, target="balanced", **given).select(clf, X[:12], 3)
    expected = greedy_fisher(V, 3, candidates=np.arange(12), weights=weights, **given)
    np.testing.assert_array_equal(balanced.indices, expected)
    by_ones = BAIT(curvature=curvature, batch_size=1, **given)
    found_again = by_ones.select(clf, X[12:], 6, X_labelled=X[:12])
    np.testing.assert_array_equal(found.indices, found_again.indices)


def test_regularization_that_follows_the_information(fitted):
    clf, X = fitted
    head = head_inputs(clf.module_, X)
    V = last_layer_factors(head.logits, head.inputs)
    value = float(V.traces().mean()) / V.shape[2]
    for kind, given in ((BAIT, {}), (FisherMask, {"mask": "head"})):
        found, expected = (
            kind(regularization=one, **given).select(clf, X[12:], 6, X_labelled=X[:12])
            for one in ("auto", value)
        )
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.gains, expected.gains)


def test_no_backward_pass(fitted, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a backward pass")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    clf, X = fitted
    assert BAIT().select(clf, X[12:], 3).indices.shape == (3,)


def test_a_pipeline_and_a_net_of_probabilities():
    class Probabilities(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x).softmax(1)

    X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    net = NeuralNetClassifier(Probabilities, train_split=None, max_epochs=1, verbose=0)
    net.fit(X, np.arange(30) % 3)
    V = oracles.naive_rows(net.module_.fc, torch.as_tensor(X)).numpy()
    expected = oracles.published_greedy(V, 4, np.arange(30), np.arange(0), oversample_to=8)
    pipeline = make_pipeline(FunctionTransformer(lambda X: X / 2), net)
    for estimator, pool in ((net, X), (pipeline, 2 * X)):
        assert BAIT().select(estimator, pool, 4).indices.tolist() == expected


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"oversample": 0.5}, "'oversample' parameter of BAIT"),
        ({"curvature": "half"}, "'curvature' parameter of BAIT"),
        ({"curvature": "blocks", "rank": 2}, "'rank' parameter of BAIT.*curvature='blocks'"),
        ({"curvature": "binary", "rank": 2}, "'rank' parameter of BAIT.*curvature='binary'"),
        ({"curvature": "blocks", "components": 2}, "'components' parameter of BAIT.*blocks"),
        ({"rank": "most"}, "'rank' parameter of BAIT"),
        ({"components": 0}, "'components' parameter of BAIT"),
        ({"regularization": 0}, "'regularization' parameter of BAIT"),
    ],
)
def test_errors(fitted, params, match):
    with pytest.raises(ValueError, match=match):
        BAIT(**params).select(fitted[0], fitted[1], 2)
