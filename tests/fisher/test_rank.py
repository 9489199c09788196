"""Fewer rows per sample: the rank, factors and diagonal, against plain eigendecompositions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from skactive.fisher import (
    choose_rank,
    diagonal_fisher,
    fisher_factors,
    greedy_fisher,
    head_factors,
    last_layer_factors,
)
from tests.cases import CASES
from tests.oracles import naive_rows, published_greedy


def eigen(f):
    p = np.exp(f - f.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    values, vectors = np.linalg.eigh([np.diag(one) - np.outer(one, one) for one in p])
    return values[:, ::-1], vectors[:, :, ::-1]


def random_logits(scale=2.0, N=40, C=5):
    return scale * np.random.default_rng(0).standard_normal((N, C))


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 10.0, 40.0])
@pytest.mark.parametrize("C", [2, 5, 30])
def test_auto_is_the_least_that_keeps_99_percent(scale, C):
    f = random_logits(scale, C=C)
    shares = eigen(f)[0].sum(0).cumsum() / eigen(f)[0].sum()
    rank, kept = choose_rank(f)
    assert rank == np.flatnonzero(shares >= 0.99 - 1e-12)[0] + 1
    assert kept == pytest.approx(shares[rank - 1], abs=1e-9)
    for given in (1, 2, 100):
        expected = min(given, C - 1)
        assert choose_rank(f, given) == (expected, pytest.approx(shares[expected - 1], abs=1e-9))


def test_where_there_is_no_information():
    assert choose_rank([[0.0, -1e6, -1e6]] * 3) == (1, 1.0)


def projected(V, f, r):
    """V = S J on the top r eigenvectors of SᵀS: (U_rᵀ J), times √λ."""
    S = []
    for one in f:
        p = np.exp(one - one.max())
        p /= p.sum()
        S.append(np.sqrt(p)[:, None] * (np.eye(len(p)) - p))
    values, vectors = eigen(f)
    J = np.linalg.pinv(np.stack(S)) @ V  # up to what S takes to 0, as U_r does
    return np.sqrt(values[:, :r, None]) * (vectors[:, :, :r].transpose(0, 2, 1) @ J)


@pytest.mark.parametrize("case", ["linear rows", "batch norm 2d", "layer norm", "two classes"])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("batch_size", [2, 256])
def test_factors_and_diagonal(case, rank, batch_size):
    module, X = CASES[case].build()
    V = naive_rows(module, X).numpy()
    with torch.no_grad():
        f = module.eval()(X).numpy()
    rank = min(rank, f.shape[1] - 1)
    rows = projected(V, f, rank)
    mask = np.arange(V.shape[2])
    found = fisher_factors(module, X, mask, rank=rank, batch_size=batch_size).dense().numpy()
    assert found.shape == rows.shape
    expected = np.einsum("nck,ncl->nkl", rows, rows)
    np.testing.assert_allclose(np.einsum("nck,ncl->nkl", found, found), expected, atol=1e-9)
    diagonal = diagonal_fisher(module, X, rank=rank, batch_size=batch_size)
    np.testing.assert_allclose(diagonal, np.einsum("nkk->k", expected) / len(X), atol=1e-9)


def test_factors_of_the_last_layer():
    f, h = random_logits(), np.random.default_rng(1).standard_normal((40, 3))
    whole, two = last_layer_factors(f, h), last_layer_factors(f, h, rank=2)
    assert two.shape == (40, 2, 20)
    values, vectors = eigen(f)
    R = np.sqrt(values[:, None, :2]) * vectors[:, :, :2]
    h1 = np.concatenate([h, np.ones((40, 1))], 1)
    expected = np.einsum("nar,nbr,ni,nj->naibj", R, R, h1, h1, optimize=True).reshape(40, 20, 20)
    V = two.dense().numpy()
    np.testing.assert_allclose(np.einsum("nck,ncl->nkl", V, V), expected, atol=1e-9)
    assert last_layer_factors(f, h, rank=4).shape == whole.shape
    torch.testing.assert_close(last_layer_factors(f, h, rank=9).gram(), whole.gram())
    dense = np.einsum("nar,ni->nrai", R, h1).reshape(40, 2, 20)
    picks = published_greedy(dense, 6, np.arange(40), np.arange(0))
    np.testing.assert_array_equal(greedy_fisher(two, 6), picks)
    module = nn.Linear(3, 5).double()
    X = torch.from_numpy(h)
    with torch.no_grad():
        own = last_layer_factors(module(X), X, rank=2)
    torch.testing.assert_close(head_factors(module, X, rank=2).dense(), own.dense())


@pytest.mark.parametrize("bad", [0, 1.5, True, "auto"])
def test_messages(bad):
    module, X = nn.Linear(3, 4), torch.ones(2, 3)
    for call, owner in (
        (lambda: last_layer_factors(np.ones((2, 3)), np.ones((2, 2)), rank=bad), "last_layer_f"),
        (lambda: fisher_factors(module, X, [0], rank=bad), "fisher_factors"),
        (lambda: diagonal_fisher(module, X, rank=bad), "diagonal_fisher"),
    ):
        with pytest.raises(ValueError, match=f"'rank' parameter of {owner}.*int of at least 1"):
            call()


def test_messages_for_what_does_not_go_together():
    module, X = nn.Linear(3, 4), torch.ones(2, 3)
    with pytest.raises(ValueError, match="'rank'.*None where weighting='uniform'"):
        fisher_factors(module, X, [0], rank=1, weighting="uniform")
    with pytest.raises(ValueError, match="'rank'.*None where labels are drawn"):
        diagonal_fisher(module, X, rank=1, labels=2)
    with pytest.raises(ValueError, match="'logits'.*of shape"):
        choose_rank(np.ones((3, 1)))
    with pytest.raises(ValueError, match="'rank'.*'auto' or an int"):
        choose_rank(np.ones((3, 2)), "most")
    with pytest.raises(ValueError, match="'rank'.*at least 1"):
        choose_rank(np.ones((3, 2)), 0)
