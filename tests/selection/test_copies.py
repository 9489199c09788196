"""Thousands of identical samples: picks by definition, and no more work than distinct ones."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from skactive.selection import (
    _batch_bald,
    _rows,
    batch_bald,
    k_center_greedy,
    kmeans_plusplus,
    max_coverage,
    typicality,
)
from skactive.selection._equal_rows import first_equal

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(60, 3), (60, 2, 4)])
def test_first_equal(dtype, shape):
    X = torch.as_tensor(RNG.integers(0, 2, shape) - 0.5).to(dtype)
    X[3], X[9] = 0.0, -0.0
    seen = [next(j for j in range(60) if torch.equal(X[j], X[i])) for i in range(60)]
    assert first_equal(X).tolist() == seen
    assert first_equal(X.transpose(0, 1).contiguous().transpose(0, 1)).tolist() == seen


def test_rows_of_one_checksum_are_compared():
    """Signs alone differ, which are the highest bits."""
    X = torch.as_tensor(RNG.choice([-1.0, 1.0], (5000, 40)), dtype=torch.float32)
    X[4000:] = X[:1000]
    _, first, inverse = np.unique(X.numpy(), axis=0, return_index=True, return_inverse=True)
    assert first_equal(X).tolist() == first[inverse.ravel()].tolist()
    with patch("torch.randint", lambda *args, generator: torch.full((40,), -1)):
        found = first_equal(X)  # weights of −1: by the number of signs
    itself = torch.arange(5000)
    assert (found <= itself).all()
    assert torch.equal(X[found], X)


@pytest.mark.parametrize("n_neighbors", [1, 3, 20])
@pytest.mark.parametrize("kinds", [1, 2, 7, 25])
def test_typicality_of_copies(kinds, n_neighbors):
    X = RNG.normal(size=(kinds, 4))[np.r_[0:kinds, RNG.integers(0, kinds, 30 - kinds)]]
    distances = np.sort(np.sqrt(((X[:, None] - X) ** 2).sum(2)), axis=1)[:, 1 : n_neighbors + 1]
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            typicality(X, n_neighbors=n_neighbors), 1 / distances.mean(1), rtol=1e-9
        )


def copies(kinds, each, *shape):
    return RNG.normal(size=(kinds, *shape))[np.tile(np.arange(kinds), each)]


def test_k_center_of_copies_takes_them_in_order():
    X = copies(3, 50, 2)
    picks = k_center_greedy(X, 20, centers=X[:1])
    assert sorted((picks.indices[:2] % 3).tolist()) == [1, 2]
    left = [i for i in range(150) if i not in picks.indices[:2]]
    assert picks.indices[2:].tolist() == left[:18]
    assert not picks.gains[2:].any()


class Counted:
    """Counts what a method works on."""

    def __init__(self, owner, name, amount):
        self.total, inner = 0, getattr(owner, name)

        def count(this, *args):
            self.total += amount(this, *args)
            return inner(this, *args)

        self.patch = patch.object(owner, name, count)


def log_p_of(logits):
    return torch.log_softmax(torch.as_tensor(logits), 2)


N = 1000
DISTANCES = (_rows.Rows, "squared_distances", lambda a, b: len(a) * len(b))
ENTROPIES = (_batch_bald.Configurations, "entropies", lambda self, log_p, index: len(index))
WORK = {
    "typicality": (typicality, (6,), DISTANCES),
    "k-center": (lambda X: k_center_greedy(X, 50, random_state=0), (6,), DISTANCES),
    "k-means++": (lambda X: kmeans_plusplus(X, 50, random_state=0), (6,), DISTANCES),
    "BatchBALD": (
        lambda X: batch_bald(log_p_of(X), 20, n_configurations=200, random_state=0),
        (4, 3),
        ENTROPIES,
    ),
}


@pytest.mark.parametrize("kinds", [1, 5, 40])
@pytest.mark.parametrize(("function", "shape", "counted"), WORK.values(), ids=WORK)
def test_copies_are_no_more_work(function, shape, counted, kinds):
    work = []
    for X in (RNG.normal(size=(N, *shape)), copies(kinds, N // kinds, *shape)):
        count = Counted(*counted)
        with count.patch:
            function(X)
        work.append(count.total)
    assert work[1] <= 2 * work[0]


def test_coverage_of_copies_is_picked_at_once():
    """The balls hold everything after as many picks as there are kinds; the rest is drawn."""
    picks = max_coverage(copies(5, 200, 3), 60, radius=0.01, random_state=0)
    assert picks.gains.tolist() == [200.0] * 5 + [0.0] * 55
