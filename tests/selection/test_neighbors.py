"""Nearest neighbours against all distances."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import _rows, nearest_neighbors
from tests.selection.test_k_center import data


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(_rows, "_TILE_CPU", 64)


@pytest.mark.parametrize("kind", ["gaussian", "blobs", "far away", "repeated", "equal"])
@pytest.mark.parametrize("n_neighbors", [1, 10, 400])
@pytest.mark.parametrize("among_themselves", [True, False])
def test_those_of_all_distances(kind, n_neighbors, among_themselves):
    X = data(kind)
    centers = None if among_themselves else X[::2] + np.linspace(0, 0.01, 150)[:, None]
    distances = cdist(X, X if among_themselves else centers)
    if among_themselves:
        np.fill_diagonal(distances, np.inf)
    k = min(n_neighbors, 299 if among_themselves else 150)
    where, found = nearest_neighbors(X, centers, n_neighbors=n_neighbors)
    # what is taken off ‖x − y‖² for rounding, and as much again
    atol = 32 * np.finfo(float).eps * 2 * ((X - X.mean(0)) ** 2).sum(1).max()
    np.testing.assert_allclose(found**2, np.sort(distances, 1)[:, :k] ** 2, atol=atol)
    np.testing.assert_allclose(np.take_along_axis(distances, where, 1) ** 2, found**2, atol=atol)
    assert all(len(set(row)) == k for row in where.tolist())


def test_equal_distances_go_by_position():
    where, found = nearest_neighbors(np.ones((150, 3)), n_neighbors=3)
    assert where[[0, 2, 100]].tolist() == [[1, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert not found.any()


@pytest.mark.parametrize("n_neighbors", [1, 2])
def test_single_precision_tells_near_rows_apart(n_neighbors):
    """Far from the mean the rounding of products is larger than what is between the rows."""
    X, centers = np.float32([[0], [100]]), np.float32([[0.05], [0.001], [0], [90]])
    where, found = nearest_neighbors(X, centers[[0, 1, 3]], n_neighbors=n_neighbors)
    assert where[0].tolist() == [1, 0][:n_neighbors]
    assert where[1, 0] == 2
    np.testing.assert_allclose(found[0], [0.001, 0.05][:n_neighbors], rtol=1e-6)
    where, found = nearest_neighbors(X, centers, n_neighbors=n_neighbors)
    assert where[0].tolist() == [2, 1][:n_neighbors]
    assert found[0, 0] == 0
    among = np.float32([[0], [0.5], [0.25], [3000], [3000]])
    where, found = nearest_neighbors(among)
    assert where[:, 0].tolist() == [2, 2, 0, 4, 3]
    assert found[:, 0].tolist() == [0.25, 0.25, 0.25, 0, 0]


def test_tensors_and_one_sample():
    where, found = nearest_neighbors(torch.zeros(1, 2))
    assert isinstance(where, torch.Tensor)
    assert where.shape == found.shape == (1, 0)


def test_errors():
    with pytest.raises(ValueError, match="'n_neighbors' parameter of nearest_neighbors"):
        nearest_neighbors(np.ones((3, 2)), n_neighbors=0)
    with pytest.raises(ValueError, match="'centers' .* rows of 2 numbers"):
        nearest_neighbors(np.ones((3, 2)), np.ones((3, 1)))
