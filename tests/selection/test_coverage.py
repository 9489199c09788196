"""Greedy coverage and pure radii against all distances."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import (
    _coverage,
    average_linkage,
    max_coverage,
    other_group_distances,
    purity_radius,
)
from tests.selection.test_k_center import data


def naive(X, n, radius, centers=None):
    """Each pick covers the most; stops where everything is covered."""
    near = cdist(X, X) <= radius
    covered = np.zeros(len(X), dtype=bool)
    if centers is not None:
        covered = (cdist(X, centers) <= radius).any(1)
    picks, gains = [], []
    while len(picks) < n and not covered.all():
        counts = (near & ~covered).sum(1)
        picks.append(int(counts.argmax()))
        gains.append(counts.max())
        covered |= near[picks[-1]]
    return picks, gains


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(_coverage, "_TILE_CPU", 64)


@pytest.mark.parametrize("kind", ["gaussian", "blobs", "far away", "repeated", "equal"])
@pytest.mark.parametrize("radius", [0.0, 1.3, 6.0])
@pytest.mark.parametrize("with_centers", [True, False])
@pytest.mark.parametrize("with_groups", [True, False])
def test_picks_are_those_of_the_plain_loop(kind, radius, with_centers, with_groups):
    X = data(kind)
    groups = None
    if with_groups:
        labels = np.random.default_rng(1).integers(3, size=len(X))  # of no use, and no harm
        labels = (X[:, 0] > np.median(X[:, 0])) * 4 + (labels == 0) if kind == "blobs" else labels
        groups = labels, other_group_distances(X, labels)
    centers = X[::60] + 0.05 if with_centers else None
    picks, gains = naive(X, 40, radius, centers)
    found = max_coverage(X, 40, radius, centers=centers, groups=groups, random_state=0)
    assert found.indices[: len(picks)].tolist() == picks
    assert found.gains.tolist() == [*gains, *[0.0] * (40 - len(gains))]
    assert len(set(found.indices.tolist())) == 40


@pytest.mark.parametrize("n_labels", [1, 2, 7, 300])
@pytest.mark.parametrize("kind", ["gaussian", "blobs", "repeated"])
def test_other_group_distances(kind, n_labels):
    X = data(kind)
    labels = np.arange(300) if n_labels == 300 else np.arange(300) ** 2 % 11 % n_labels
    distances = cdist(X, X)
    distances[labels[:, None] == labels] = np.inf
    np.testing.assert_allclose(
        other_group_distances(X, labels), distances.min(1), rtol=1e-7, atol=1e-6
    )
    assert isinstance(other_group_distances(X, labels), np.ndarray)
    found = other_group_distances(torch.as_tensor(X), torch.as_tensor(labels))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), distances.min(1), rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 0.9, 0.95, 1.0, 0.07])
def test_purity_radius(alpha):
    X = data("blobs")
    labels = (X[:, 0] > 0).astype(int)
    near, other = cdist(X, X), labels[:, None] != labels
    radius = purity_radius(other_group_distances(X, labels), alpha)

    def purity(r):
        return (~((near <= r) & other).any(1)).sum() / 300

    assert purity(radius * (1 - 1e-6)) >= alpha
    assert purity(radius * (1 + 1e-6)) < alpha


def test_purity_where_there_is_one_group_and_where_groups_touch():
    assert purity_radius([np.inf, np.inf]) > 1e300
    assert purity_radius([0.0, 0.0, 3.0], alpha=0.9) == 0.0
    X = data("gaussian")
    radius = purity_radius(other_group_distances(X, np.zeros(300, dtype=int)))
    assert max_coverage(X, 2, radius, random_state=0).gains.tolist() == [300.0, 0.0]


def test_what_is_left_is_drawn():
    X = np.zeros((50, 2))
    draws = [list(max_coverage(X, 5, 0.0, random_state=seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert {d[0] for d in draws} == {0}


def test_float32_counts_equal_samples():
    X = (np.random.default_rng(0).random((40, 512)) * 30).astype(np.float32)
    X = np.tile(X, (10, 1))
    found = max_coverage(X, 40, 0.0)
    assert found.gains.tolist() == [10.0] * 40
    assert found.indices.tolist() == list(range(40))


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.float32, np.float16])
def test_numbers_may_be_numpys(number):
    X = data("blobs")
    found = max_coverage(X, 9, number(2), random_state=0)
    assert found.indices.tolist() == max_coverage(X, 9, 2.0, random_state=0).indices.tolist()
    assert purity_radius([1.0, 2.0], alpha=number(1)) == purity_radius([1.0, 2.0], alpha=1.0)
    assert average_linkage(X, threshold=number(2)).tolist() == (
        average_linkage(X, threshold=2.0).tolist()
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda value: max_coverage([[1.0]], 1, value), "radius"),
        (lambda value: purity_radius([1.0], value), "alpha"),
        (lambda value: average_linkage([[1.0]], threshold=value), "threshold"),
    ],
)
def test_bools_are_no_numbers(call, name):
    for value in (True, np.True_):
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            call(value)


FAR = np.float32([[0], [0.5], [1000], [1000]])


def test_single_precision_where_it_is_too_coarse_for_the_radius():
    found = max_coverage(FAR, 2, 0.1)
    assert found.indices.tolist() == [2, 0]
    assert found.gains.tolist() == [2.0, 1.0]
    assert max_coverage(FAR, 2, 0.5).gains.tolist() == [2.0, 2.0]
    known = max_coverage(FAR, 2, 0.1, centers=FAR[1:2])
    assert known.gains.tolist() == [2.0, 1.0]


def test_single_precision_where_other_groups_are_near():
    X, labels = np.float32([[0], [0.001], [100], [100]]), [0, 1, 1, 1]
    for given in (X, torch.as_tensor(X)):
        found = other_group_distances(given, labels)
        assert str(found.dtype).endswith("float32")
        np.testing.assert_allclose(found, [0.001, 0.001, 100, 100], rtol=1e-4)


@pytest.mark.slow
def test_memory_grows_with_the_samples_only():
    from tests.selection.memory import peak_of

    grown = peak_of(
        "X = np.random.default_rng(0).random((12_000, 32), dtype=np.float32)",
        "max_coverage(X, 50, 1.5)",
    )
    assert grown < 60  # the distances would be 576 MB


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda X: max_coverage(X, 2, -1.0), "'radius' .* a finite number of at least 0. Got -1"),
        (lambda X: max_coverage(X, 2, "1"), "'radius' parameter of max_coverage"),
        (lambda X: max_coverage(X, 2, np.inf), "'radius' parameter of max_coverage"),
        (lambda X: max_coverage(X, 301, 1.0), r"to 300 \(the number of samples\)"),
        (lambda X: max_coverage(X, 2, 1.0, centers=X[:, :2]), "rows of 5 numbers"),
        (lambda X: max_coverage(X, 2, 1.0, groups=([0, 1], [1.0, 1.0])), "one int for each of"),
        (lambda X: other_group_distances(X, [0]), "'labels' .* one int for each of the 300"),
        (lambda X: purity_radius([-1.0]), "'distances' .* N numbers of 0 or more"),
        (lambda X: purity_radius([1.0], alpha=0), "'alpha' .* above 0 and at most 1"),
    ],
)
def test_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call(data("gaussian"))
