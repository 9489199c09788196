"""DropQuery against a loop over samples, and against candidates that are known beforehand."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from torch import nn

from skactive import CNNClassifier, DropQuery
from skactive.gradients import head_inputs
from skactive.selection import dropout_disagreement, kmeans_plusplus

X, Y = load_digits(return_X_y=True)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier(max_epochs=3, random_state=0).fit(X[:60], Y[:60])
    clf.module_.double()
    return clf


def disagreements_one_by_one(h, W, b, p, n_passes, draw):
    """nn.Dropout by hand on each embedding, then the layer, with its bias."""
    counts = np.zeros(len(h), dtype=int)
    for _ in range(n_passes):
        uniform = draw.random(h.shape, dtype=np.float32)
        for i, x in enumerate(h):
            dropped = np.array([v / (1 - p) if u >= p else 0 for v, u in zip(x, uniform[i])])  # noqa: B905
            counts[i] += (W @ dropped + b).argmax() != (W @ x + b).argmax()
    return counts


@pytest.mark.parametrize(("p", "n_passes"), [(0.75, 3), (0.3, 4), (0.0, 1)])
def test_disagreements_are_those_of_a_loop(p, n_passes):
    h, W, b = RNG.normal(size=(30, 6)), RNG.normal(size=(4, 6)), RNG.normal(size=4)
    expected = disagreements_one_by_one(h, W, b, p, n_passes, np.random.default_rng(7))
    shifted = h @ W.T + b + RNG.normal(size=(30, 1))  # log p serves too
    found = dropout_disagreement(shifted, h, W, p=p, n_passes=n_passes, random_state=7)
    np.testing.assert_array_equal(found, expected)
    assert p == 0 or 0 < found.mean() < n_passes


def test_a_prediction_that_hangs_on_one_number_changes_as_often_as_it_is_dropped():
    h = np.ones((4000, 2))
    W = np.array([[0.0, 0.0], [2.0, 0.0], [-1.0, 0.5]])
    counts = dropout_disagreement(h @ W.T, h, W, n_passes=1, random_state=0)
    # the prediction is class 1, and another one where the first number is dropped
    assert abs(counts.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 4000)


def clusters_of_candidates(h, n, draw):
    """The nearest to each of scikit-learn's centers; of two that are equally near, the first."""
    seeds = h[kmeans_plusplus(h, n, random_state=draw)]
    model = KMeans(n, init=seeds, n_init=1, random_state=int(draw.integers(2**31))).fit(h)
    away = [
        ((h - c) ** 2).sum(1) + 1e9 * (model.labels_ != k)
        for k, c in enumerate(model.cluster_centers_)
    ]
    nearest = {int(np.argmax(a <= a.min() * (1 + 1e-5))) for a in away}
    return nearest, sorted(np.bincount(model.labels_).tolist())[::-1]


@pytest.mark.parametrize("normalize", [True, False])
def test_the_batch_is_nearest_to_the_centers_of_the_candidates(clf, normalize):
    pool = X[60:460]
    head = head_inputs(clf.module_, pool)
    draw = np.random.default_rng(3)
    counts = dropout_disagreement(head.logits, head.inputs, head.weight, random_state=draw)
    candidates = np.flatnonzero(counts >= 2)
    assert 20 < len(candidates) < 400
    h = head.inputs.numpy()[candidates]
    h = h / np.linalg.norm(h, axis=1, keepdims=True) if normalize else h
    nearest, sizes = clusters_of_candidates(h, 12, draw)
    strategy = DropQuery(normalize=normalize, batch_size=64, random_state=3)
    found = strategy.select(clf, pool, 12)
    assert set(found.indices.tolist()) == {int(candidates[i]) for i in nearest}
    assert found.gains.tolist() == sizes


def test_fewer_candidates_than_are_asked_for(clf):
    """All of them, and those that disagree most of the others."""
    pool = X[60:160]
    head = head_inputs(clf.module_, pool)
    counts = dropout_disagreement(
        head.logits,
        head.inputs,
        head.weight,
        p=0.2,
        n_passes=5,
        random_state=np.random.default_rng(1),
    )
    n_candidates = int((counts > 2.5).sum())
    n = int((counts > 0).sum()) + 5
    assert 0 < n_candidates < n - 5 < 95
    found = DropQuery(dropout=0.2, n_passes=5, random_state=1).select(clf, pool, n)
    assert set(np.flatnonzero(counts > 0)) < set(found.indices.tolist())
    assert len(found.indices) == n


def sure_and_unsure(n_sure, n_clusters, each, D=2048, seed=0):
    """Embeddings that dropout of 0.99 either surely changes the prediction of, or surely not.

    Class 0 wins by one number alone in the unsure ones, and by nearly all numbers in the sure.
    """
    rng = np.random.default_rng(seed)
    W = np.vstack([np.full(D, 1.0), np.full(D, -1.0)])
    sure = rng.uniform(1, 2, (n_sure, D))
    centers = rng.uniform(-8, -4, (n_clusters, D))
    unsure = np.repeat(centers, each, axis=0) + rng.uniform(-0.01, 0.01, (n_clusters * each, D))
    unsure[:, 0] = 2.0 * 8 * D
    return np.concatenate([sure, unsure]).astype(np.float64), W


def test_candidates_that_are_known_beforehand_are_those_of_scikit_activeml():
    skactiveml = pytest.importorskip("skactiveml.pool")
    from skactiveml.base import SkactivemlClassifier

    h, W = sure_and_unsure(50, 5, 6)
    h = h[np.random.default_rng(2).permutation(len(h))]

    class Linear(SkactivemlClassifier):
        def fit(self, X, y, sample_weight=None):
            self.classes_ = np.arange(2)
            return self

        def predict(self, X):
            return (X @ W.T).argmax(1)

        def predict_proba(self, X):
            return np.eye(2)[self.predict(X)]

    peer = skactiveml.DropQuery(
        dropout_rate=0.99,
        cluster_algo_dict={"random_state": 0, "n_init": 10},
        random_state=np.random.RandomState(0),
    )
    theirs = peer.query(h, np.full(len(h), np.nan), Linear(classes=[0, 1]), batch_size=5)

    class Head(nn.Module):
        def __init__(self, num_classes=2, **_):
            super().__init__()
            self.fc = nn.Linear(h.shape[1], 2, bias=False)

        def forward(self, x):
            return self.fc(x)

    clf = CNNClassifier(Head, max_epochs=1, random_state=0, normalize=None).fit(
        h[:6], np.arange(6) % 2
    )
    with torch.no_grad():
        clf.module_.network.fc.weight.copy_(torch.as_tensor(W))
    ours = DropQuery(dropout=0.99, normalize=False, random_state=0).select(clf, h, 5)
    assert set(ours.indices.tolist()) == set(theirs.tolist())
    assert ours.gains.tolist() == [6] * 5


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"p": 1.0}, "'p' parameter of dropout_disagreement"),
        ({"p": "0.5"}, "'p' parameter of dropout_disagreement"),
        ({"n_passes": 0}, "'n_passes' parameter"),
        ({"inputs": np.ones((2, 4))}, "'weight' parameter .* for logits"),
        ({"inputs": np.full((3, 4), np.nan)}, "'inputs' parameter"),
    ],
)
def test_wrong_arguments(changed, match):
    given = {"logits": np.ones((3, 2)), "inputs": np.ones((3, 4)), "weight": np.ones((2, 4))}
    with pytest.raises(ValueError, match=match):
        dropout_disagreement(**{**given, **changed})
