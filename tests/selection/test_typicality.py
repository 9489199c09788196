"""Typicality against all distances."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skactive.selection import _rows, typicality


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
