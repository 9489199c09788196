"""Greedy k-center against the plain loop."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import k_center_greedy


def naive(X, n, centers=None, first=None):
    """One pick at a time, all distances anew."""
    picks = [] if first is None else [first]
    gains = [] if first is None else [np.inf]
    while len(picks) < n:
        chosen = X[picks] if centers is None else np.concatenate([centers, X[picks]])
        nearest = cdist(X, chosen).min(1)
        nearest[picks] = -1
        picks.append(int(nearest.argmax()))
        gains.append(nearest[picks[-1]])
    return picks, gains


def data(kind, N=300, D=5):
    rng = np.random.default_rng(0)
    return {
        "gaussian": lambda: rng.normal(size=(N, D)),
        "blobs": lambda: (
            rng.normal(size=(6, D))[rng.integers(6, size=N)] * 9 + rng.normal(size=(N, D))
        ),
        "far away": lambda: rng.normal(size=(N, D)) + 1e4,
        "repeated": lambda: rng.normal(size=(20, D))[rng.integers(20, size=N)],
        "grid": lambda: rng.integers(4, size=(N, 3)).astype(float),
        "equal": lambda: np.ones((N, D)),
        "zero": lambda: np.zeros((N, D)),
    }[kind]()


KINDS = ["gaussian", "blobs", "far away", "repeated", "equal", "zero"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_centers", [True, False])
def test_picks_are_those_of_the_plain_loop(kind, with_centers):
    X = data(kind)
    centers = X[::50] * 1.1 if with_centers else None
    found = k_center_greedy(X, 150, centers=centers, random_state=3)
    first = None if with_centers else int(found.indices[0])
    picks, gains = naive(X, 150, centers, first)
    np.testing.assert_allclose(found.gains, gains, rtol=1e-9, atol=1e-12)
    if kind == "repeated":  # which of two copies is rounding
        np.testing.assert_array_equal(X[found.indices[:20]], X[picks[:20]])
        assert len(set(found.indices.tolist())) == 150
    else:
        assert found.indices.tolist() == picks
    assert found.indices.dtype == np.int64


def test_many_ties_still_give_a_greedy_order():
    """On a grid rounding decides among equal distances; each pick must be one of the farthest."""
    X = data("grid")
    found = k_center_greedy(X, 100, centers=X[:1])
    for i in range(100):
        nearest = cdist(X, np.concatenate([X[:1], X[found.indices[:i]]])).min(1)
        np.testing.assert_allclose(nearest[found.indices[i]], nearest.max(), atol=1e-9)
        np.testing.assert_allclose(found.gains[i], nearest.max(), atol=1e-9)
    assert len(set(found.indices.tolist())) == 100


def test_all_samples_and_one():
    X = data("repeated", N=40)
    assert sorted(k_center_greedy(X, 40, random_state=0)) == list(range(40))
    assert list(k_center_greedy(X[:1], 1)) == [0]


def test_float32_picks_are_within_rounding_of_the_best():
    X = data("blobs", N=2000, D=64).astype(np.float32)
    found = k_center_greedy(X, 100, centers=X[:7])
    plain = X.astype(float)
    for i in range(0, 100, 9):
        chosen = np.concatenate([plain[:7], plain[found.indices[:i]]])
        nearest = cdist(plain, chosen).min(1)
        assert nearest[found.indices[i]] >= nearest.max() * (1 - 1e-5)


def test_the_first_pick_is_drawn_where_there_are_no_centers():
    X = data("gaussian")
    firsts = {k_center_greedy(X, 1, random_state=seed).indices[0] for seed in range(20)}
    assert len(firsts) > 10
    again = [k_center_greedy(X, 5, random_state=1).indices.tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_tensors_and_half_precision():
    X = torch.as_tensor(data("gaussian"))
    expected = k_center_greedy(X.numpy(), 9, centers=X[:3].numpy())
    np.testing.assert_array_equal(k_center_greedy(X, 9, centers=X[:3]), expected)
    half = X.half()
    np.testing.assert_array_equal(
        k_center_greedy(half, 9, centers=half[:3]),
        k_center_greedy(half.float(), 9, centers=half[:3].float()),
    )


def test_memory_grows_with_the_samples_only():
    from tests.selection.memory import peak_of

    grown = peak_of(
        "X = np.random.default_rng(0).random((40_000, 64), dtype=np.float32)",
        "k_center_greedy(X, 100, random_state=0)",
    )
    assert grown < 4 * 40_000 * 64 * 4 / 2**20 + 40


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda X: k_center_greedy(X[:, 0], 2), r"'X' parameter .* shape \(N, D\) whose rows"),
        (lambda X: k_center_greedy("no", 2), "'X' parameter of k_center_greedy"),
        (lambda X: k_center_greedy(X[:0], 2), "'X' parameter of k_center_greedy"),
        (lambda X: k_center_greedy(X * np.inf, 2), "finite squared norms.* Remove NaN"),
        (lambda X: k_center_greedy(X * 1e200, 2), "finite squared norms"),
        (lambda X: k_center_greedy(X, 0), "'n' parameter of k_center_greedy must be an int from 1"),
        (lambda X: k_center_greedy(X, 301), r"to 300 \(the number of samples\)"),
        (lambda X: k_center_greedy(X, 2, centers=X[:, :2]), "rows of 5 numbers, as X has.*same w"),
        (lambda X: k_center_greedy(X, 2, random_state="0"), "'random_state' parameter"),
    ],
)
def test_errors(call, match):
    with pytest.raises(ValueError, match=match), np.errstate(all="ignore"):
        call(data("gaussian"))
