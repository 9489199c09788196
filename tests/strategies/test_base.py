"""BASE against boundaries that are looked for by walking, and shares counted one by one."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from skactive import BASE, CNNClassifier
from skactive.gradients import head_inputs
from skactive.selection import boundary_distances, nearest_per_class

X, Y = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier(max_epochs=3, random_state=0).fit(X[:60], Y[:60])
    clf.module_.double()
    return clf


def distance_by_walking(h, W, b, c):
    """Move h along w_c − w_ŷ, the shortest way, until the two logits are equal: by bisection."""
    z = W @ h + b
    best = z.argmax()
    if c == best:
        return min(distance_by_walking(h, W, b, other) for other in range(len(W)) if other != best)
    way = (W[c] - W[best]) / np.linalg.norm(W[c] - W[best])
    low, high = 0.0, 1.0
    while (z := W @ (h + high * way) + b)[c] < z[best]:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        z = W @ (h + middle * way) + b
        low, high = (middle, high) if z[c] < z[best] else (low, middle)
    return low


def published(distances, n, order):
    """The shares of the published code: sort each class's column, leave out what was taken."""
    taken = []
    for place, c in enumerate(order):
        count = n // len(order) + (place < n % len(order))
        ranked = [i for i in np.argsort(distances[:, c], kind="stable") if i not in taken]
        taken += ranked[:count]
    return taken


def test_distances_are_those_that_lead_to_the_boundary():
    rng = np.random.default_rng(0)
    W, b, h = rng.normal(size=(4, 5)), rng.normal(size=4), rng.normal(size=(12, 5))
    expected = [[distance_by_walking(x, W, b, c) for c in range(4)] for x in h]
    found = boundary_distances(h @ W.T + b, W)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    moved = boundary_distances(h @ W.T + b + rng.normal(size=(12, 1)), W)  # log p serves too
    np.testing.assert_allclose(moved, expected, rtol=1e-8)
    in_torch = boundary_distances(torch.as_tensor(h @ W.T + b).float(), torch.as_tensor(W))
    assert in_torch.dtype == torch.float32
    np.testing.assert_allclose(in_torch, expected, rtol=1e-4)


def test_classes_that_no_boundary_parts():
    found = boundary_distances([[3.0, 3.0, 1.0], [2.0, 1.0, 1.0]], [[1.0], [1.0], [0.0]])
    np.testing.assert_array_equal(found, [[2, np.inf, 2], [1, np.inf, 1]])
    alike = boundary_distances(np.eye(3), np.ones((3, 2)))
    assert np.isinf(alike).all()
    assert nearest_per_class(alike, 3).indices.tolist() == [0, 1, 2]


@pytest.mark.parametrize("n", [1, 3, 10, 25, 40])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_shares_are_the_published_ones(clf, n, seed):
    pool = X[60:100]
    head = [layer for layer in clf.module_.modules() if isinstance(layer, nn.Linear)][-1]
    W, b = head.weight.detach().numpy(), head.bias.detach().numpy()
    h = head_inputs(clf.module_, pool).inputs.numpy()
    expected = np.array([[distance_by_walking(x, W, b, c) for c in range(10)] for x in h])
    order = np.arange(10) if seed is None else np.random.default_rng(seed).permutation(10)
    found = BASE(batch_size=16, random_state=seed).select(clf, pool, n)
    assert found.indices.tolist() == published(expected, n, order)
    classes = np.repeat(order, [n // 10 + (place < n % 10) for place in range(10)])
    np.testing.assert_allclose(-found.gains, expected[found.indices, classes], rtol=1e-9)


def test_a_single_predicted_class_leaves_no_share_empty(clf):
    alone = CNNClassifier(max_epochs=1, random_state=0).fit(X[:60], Y[:60])
    head = [layer for layer in alone.module_.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        head.bias[3] += 100
    assert (alone.predict(X[60:160]) == 3).all()
    found = BASE().select(alone, X[60:160], 20)
    assert len(set(found.indices.tolist())) == 20
    of_three = found.gains[6:8]  # the nearest boundary of all, of what is left
    assert (of_three >= found.gains.reshape(10, 2)[4:].max()).all()


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        (boundary_distances, ([[1.0, 2.0]], [[1.0]]), "'weight' parameter of boundary_distances"),
        (boundary_distances, ([[1.0]], [[1.0]]), "a row for each of C ≥ 2 columns"),
        (boundary_distances, ([[1.0, np.nan]], np.eye(2)), "'logits' parameter"),
        (nearest_per_class, ([1.0, 2.0], 1), "'distances' parameter of nearest_per_class"),
        (nearest_per_class, ([[np.nan, 2.0]], 1), "'distances' parameter of nearest_per_class"),
        (nearest_per_class, ([[1.0, 2.0]], 2), "'n' parameter of nearest_per_class"),
    ],
)
def test_wrong_arguments(function, arguments, match):
    with pytest.raises(ValueError, match=match):
        function(*arguments)
    with pytest.raises(ValueError, match="'order' parameter .* the columns 0 to 1, each once"):
        nearest_per_class([[1.0, 2.0]], 1, order=[0, 0])
