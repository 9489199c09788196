"""Greedy kernel coverage against the plain loop on all kernels."""

import sys

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import _rows, max_herding
from tests.selection.memory import peak_of
from tests.selection.test_k_center import data


def naive(X, n, sigma=1.0, centers=None, weights=None):
    """Each pick adds the most; all gains anew. Also by how much the best one led."""
    kernel = np.exp(-cdist(X, X, "sqeuclidean") / sigma**2)
    w = np.ones(len(X)) if weights is None else weights
    covered = np.zeros(len(X))
    if centers is not None:
        covered = np.exp(-cdist(X, centers, "sqeuclidean") / sigma**2).max(1)
    picks, gains, leads = [], [], []
    while len(picks) < n:
        found = (w[:, None] * np.maximum(kernel - covered[:, None], 0)).sum(0)
        found[picks] = -1
        picks.append(int(found.argmax()))
        gains.append(found[picks[-1]])
        leads.append(gains[-1] - np.delete(found, picks[-1]).max())
        covered = np.maximum(covered, kernel[picks[-1]])
    return picks, gains, leads


def check(found, expected, rtol=1e-9, atol=1e-9):
    """The gains of the loop, and its picks up to the first that leads by no more than rounding."""
    picks, gains, leads = expected
    np.testing.assert_allclose(found.gains, gains, rtol=rtol, atol=atol)
    close = np.flatnonzero(np.array(leads) <= atol)
    sure = close[0] if len(close) else len(picks)
    assert found.indices[:sure].tolist() == picks[:sure]
    assert len(set(found.indices.tolist())) == len(picks)
    return sure


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(_rows, "_TILE_CPU", 64)


@pytest.mark.parametrize("kind", ["gaussian", "blobs", "far away"])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("with_centers", [True, False])
@pytest.mark.parametrize("with_weights", [True, False])
def test_picks_are_those_of_the_plain_loop(kind, sigma, with_centers, with_weights):
    X = data(kind)
    centers = X[::60] + 0.05 if with_centers else None
    weights = np.random.default_rng(3).random(len(X)) * (np.arange(len(X)) % 7 > 0)
    given = {"sigma": sigma, "centers": centers, "weights": weights if with_weights else None}
    atol = 1e-6 if kind == "far away" else 1e-9
    sure = check(max_herding(X, 40, **given), naive(X, 40, **given), rtol=1e-6, atol=atol)
    # Two samples far from all others cover each other equally; with a narrow kernel many are alone.
    assert sure > (20 if sigma == 4 else 4)


@pytest.mark.parametrize("kind", ["repeated", "equal", "zero"])
def test_copies_gain_nothing_and_go_by_position(kind):
    X = data(kind)
    found = max_herding(X, 300)
    distinct = len(np.unique(X, axis=0))
    check(max_herding(X, distinct), naive(X, distinct))
    assert len(np.unique(X[found.indices[:distinct]], axis=0)) == distinct
    assert (found.gains[:distinct] > 0).all()
    assert not found.gains[distinct:].any()
    assert (np.diff(found.indices[distinct:]) > 0).all()


def test_copies_in_single_precision_too():
    X = np.repeat(np.random.default_rng(0).normal(size=(5, 40)), 30, axis=0).astype(np.float32)
    found = max_herding(X, 10, sigma=3.0)
    assert sorted(found.indices[:5] // 30) == [0, 1, 2, 3, 4]
    assert not found.gains[5:].any()


def test_everything_is_covered_by_centers():
    X = data("gaussian")
    found = max_herding(X, 5, centers=X)
    assert found.indices.tolist() == [0, 1, 2, 3, 4]
    assert not found.gains.any()


@pytest.mark.parametrize("unit", [1e-300, 1e-60, 1e60, 1e300])
def test_the_unit_of_the_weights_does_not_matter_in_single_precision(unit):
    X = torch.as_tensor(data("gaussian")).float()
    weights = np.random.default_rng(0).random(len(X))
    expected, found = (max_herding(X, 9, weights=w) for w in (weights, unit * weights))
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.gains, unit * expected.gains, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_lower_precision(dtype):
    """Distances are taken to be smaller by 16 ε (‖x‖² + ‖y‖²), here up to 1e-4 σ²."""
    X = torch.as_tensor(data("blobs")).to(dtype)
    found = max_herding(X, 20, sigma=3.0)
    check(found, naive(X.double().numpy(), 20, sigma=3.0), rtol=5e-4, atol=5e-4)


def test_single_precision_where_it_is_too_coarse_for_the_width():
    X = np.float32([[0], [0.5], [1000], [1000]])
    found = max_herding(X, 3, sigma=0.1)
    assert found.indices.tolist() == [2, 0, 1]
    np.testing.assert_allclose(found.gains, [2, 1, 1], rtol=1e-9)


@pytest.mark.parametrize("contain", [torch.as_tensor, list, np.asfortranarray])
def test_containers(contain):
    X = data("blobs")
    expected = max_herding(X, 9, centers=X[:3]).indices.tolist()
    assert max_herding(contain(X), 9, centers=contain(X[:3])).indices.tolist() == expected


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"sigma": 0.0}, "'sigma' .* a finite number above 0. Got 0.0"),
        ({"sigma": True}, "'sigma'"),
        ({"sigma": np.inf}, "'sigma'"),
        ({"n": 301}, "'n' .* from 1 to 300"),
        ({"weights": np.ones(3)}, "'weights' .* one for each of the 300 samples"),
        ({"weights": -np.ones(300)}, "'weights'"),
        ({"weights": ["a"] * 300}, "'weights'"),
        ({"centers": np.ones((2, 3))}, "'centers' .* rows of 5 numbers"),
    ],
)
def test_errors(given, match):
    with pytest.raises(ValueError, match=match):
        max_herding(data("gaussian"), **{"n": 3, **given})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_that_of_the_rows_and_of_tiles():
    """All kernels would be 144 MB."""
    setup = (
        "X = np.random.default_rng(0).normal(size=(6000, 20)).astype('f'); max_herding(X[:9], 2)"
    )
    assert peak_of(setup, "max_herding(X, 3, sigma=4.0)") < 40


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sigma", [1e-30, 1e-200, 5e-324])
@pytest.mark.parametrize("centers", [None, [[9.0]], [[1e12]]])
def test_a_width_whose_square_cannot_be_computed_with(dtype, sigma, centers):
    """Each row then covers itself and its copies, and nothing else."""
    X = np.array([[0], [1], [2], [1]], dtype)
    found = max_herding(X, 3, sigma=sigma, centers=centers)
    assert found.indices.tolist() == [1, 0, 2]
    assert found.gains.tolist() == [2.0, 1.0, 1.0]
    assert max_herding(np.zeros((3, 2), dtype), 2, sigma=sigma).gains.tolist() == [3.0, 0.0]


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.float32, np.float16])
def test_numbers_may_be_numpys(number):
    X = data("blobs")
    found = max_herding(X, 9, sigma=number(2))
    assert found.indices.tolist() == max_herding(X, 9, sigma=2.0).indices.tolist()
