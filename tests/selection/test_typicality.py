"""Typicality against all distances."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import _rows, _typicality, most_typical, typicality
from skactive.testing import check_selector


@pytest.mark.parametrize("k", [1, 5, 20, 99, 500])
def test_against_all_distances(k, monkeypatch):
    monkeypatch.setattr(_rows, "_BLOCK", 3000)  # several blocks
    X = np.random.default_rng(0).normal(size=(100, 7)) + 50
    distances = np.sort(cdist(X, X), axis=1)[:, 1 : k + 1]
    np.testing.assert_allclose(typicality(X, n_neighbors=k), 1 / distances.mean(1), rtol=1e-9)
    tensor = torch.as_tensor(X, dtype=torch.float32)
    found = typicality(tensor, n_neighbors=k)
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found, 1 / distances.mean(1), rtol=1e-4)


def test_equal_samples_and_one_alone():
    X = np.array([[1.0], [1.0], [1.0], [4.0]])
    assert typicality(X, n_neighbors=2).tolist() == [np.inf, np.inf, np.inf, 1 / 3]
    assert typicality(X[:1]).tolist() == [0.0]


def test_errors():
    with pytest.raises(ValueError, match="'n_neighbors' parameter of typicality"):
        typicality([[1.0]], n_neighbors=0)
    with pytest.raises(ValueError, match="'X' parameter of typicality"):
        typicality([1.0])
    with pytest.raises(ValueError, match="'n_neighbors' parameter of most_typical"):
        most_typical([[1.0]], 1, n_neighbors=0)
    with pytest.raises(ValueError, match="'n' parameter of most_typical"):
        most_typical([[1.0]], 2)


def one_by_one(X, n, k):
    """All distances among those that are left, for each pick."""
    left, picks, gains = list(range(len(X))), [], []
    for _ in range(n):
        near = np.sort(cdist(X[left], X[left]), axis=1)[:, 1 : 1 + min(k, max(1, len(left) // 2))]
        with np.errstate(divide="ignore"):
            typical = 1 / near.mean(1) if near.size else np.zeros(1)
        best = int(typical.argmax())
        gains.append(typical[best])
        picks.append(left.pop(best))
    return picks, gains


@pytest.mark.parametrize("k", [1, 3, 20, 500])
@pytest.mark.parametrize("kind", ["different", "with copies", "copies of three"])
def test_the_most_typical_of_those_that_are_left(k, kind, monkeypatch):
    monkeypatch.setattr(_rows, "_BLOCK", 900)  # several blocks
    draw = np.random.default_rng(1)
    X = draw.normal(size=(70, 3)) + 9
    if kind != "different":
        X = X[draw.integers(0, 50 if kind == "with copies" else 3, 70)]
    for n in (1, 30, 70):
        found = most_typical(X, n, n_neighbors=k)
        picks, gains = one_by_one(X, n, k)
        assert found.indices.tolist() == picks
        np.testing.assert_allclose(found.gains, gains, rtol=1e-9)


def test_it_keeps_the_contract_of_selectors():
    check_selector(most_typical)


def test_after_a_pick_few_are_compared_anew(monkeypatch):
    """So that a batch from one large cluster does not cost as many times its distances."""
    compared, of_some = [], _typicality._of_some

    def spy(rows, copies, some, k):
        compared.append(len(some))
        return of_some(rows, copies, some, k)

    monkeypatch.setattr(_typicality, "_of_some", spy)
    most_typical(np.random.default_rng(2).normal(size=(1000, 8)), 50)
    assert compared[0] == 1000
    assert sum(compared[1:]) < 5000  # of 48,000
