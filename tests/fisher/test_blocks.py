"""Blocks and one block of the last layer's information, against plain loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.fisher import (
    BlockFactors,
    greedy_fisher,
    greedy_fisher_in_blocks,
    head_factors,
    last_layer_factors,
)
from skactive.fisher._kronecker import KroneckerFactors
from skactive.gradients import find_head
from tests.cases import CASES
from tests.fisher.test_greedy_fisher import PROBLEMS, TOLERANCE, removal_excesses, shortfalls
from tests.oracles import naive_rows, objective, published_greedy

POOL, LABELLED = np.arange(5, 75), np.array([0, 2, 77])


def problem(kind: str, N=80, C=4, D=6, seed=0):
    """Logits and inputs; those of `tests.fisher.test_greedy_fisher`, of a last layer alone."""
    rng = np.random.default_rng(seed)
    f, h = 2 * rng.standard_normal((N, C)), rng.standard_normal((N, D))
    if kind == "ill-scaled":
        h = h * 10.0 ** np.linspace(-2, 2, D) * np.exp(rng.standard_normal((N, 1)))
    elif kind == "duplicated":
        f, h = f[np.arange(N) % 8], h[np.arange(N) % 8]
    elif kind == "nearly confident":
        f = f * 15
    elif kind == "saturated":
        f = f * 1e6
    elif kind == "a class of no sample":
        f[:, 1] = -1e5
    return f, h


ALL = [*PROBLEMS, "saturated", "a class of no sample"]


def naive(f, h, curvature):
    """V of the definition, sample by sample, (N, C, C·D) or (N, 1, D)."""
    rows = []
    for one, x in zip(f, h, strict=True):
        e = np.exp(one - one.max())
        p = e / e.sum()
        rest = np.array([np.delete(e, c).sum() for c in range(len(e))]) / e.sum()
        omega = p * rest
        if curvature == "binary":
            rows.append([np.sqrt(omega[one.argmax()]) * x])
        else:
            rows.append([np.kron(row, x) for row in np.diag(np.sqrt(omega))])
    return np.array(rows)


def alike(picks, kind, oversample):
    tied = kind == "duplicated" and oversample > 1
    return sorted(np.asarray(picks) % 8) if tied else list(picks)


def check_picks(V, plain, kind, oversample, weighted):
    """Compare picks, from one piece and block by block, with the plain loop's; return a query."""
    weights = np.random.default_rng(1).random(80) if weighted else None
    expected = published_greedy(plain, 12, POOL, LABELLED, 0.3, int(12 * oversample), weights)
    given = {
        "labelled": LABELLED,
        "weights": weights,
        "oversample": oversample,
        "regularization": 0.3,
    }
    found = greedy_fisher(V, 12, candidates=POOL, **given)
    assert alike(found, kind, oversample) == alike(expected, kind, oversample)
    in_one = greedy_fisher_in_blocks(
        lambda at: V.take(torch.as_tensor(at)), POOL[::-1], 12, **given
    )
    assert alike(in_one, kind, oversample) == alike(expected, kind, oversample)
    return found, given


@pytest.mark.parametrize("curvature", ["blocks", "binary"])
@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "saturated"])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_picks_are_those_of_the_plain_loop(curvature, kind, oversample, weighted):
    f, h = problem(kind)
    V = last_layer_factors(f, h, bias=False, curvature=curvature)
    found, given = check_picks(V, naive(f, h, curvature), kind, oversample, weighted)
    whole = V.whole() if curvature == "blocks" else V
    np.testing.assert_allclose(
        found.gains, greedy_fisher(whole, 12, candidates=POOL, **given).gains
    )


def published_blocks(f, h, n, regularization):
    """The gains as they are written for blocks, class by class; no labelled samples."""
    omega = np.square(naive(f, np.ones((len(f), 1)), "blocks")).sum(1)
    C, D = f.shape[1], h.shape[1]
    I_T = [np.einsum("n,ni,nj->ij", omega[:, c], h, h) / len(h) for c in range(C)]
    M, picks, gains = [regularization * np.eye(D) for _ in range(C)], [], []
    for _ in range(n):
        gain = np.zeros(len(h))
        for c in range(C):
            W = np.linalg.inv(M[c])
            alpha = np.einsum("ni,ij,nj->n", h, W, h)
            beta = np.einsum("ni,ij,nj->n", h, W @ I_T[c] @ W, h)
            gain += omega[:, c] * beta / (1 + omega[:, c] * alpha)
        gain[picks] = -1
        picks.append(int(gain.argmax()))
        gains.append(gain.max())
        for c in range(C):
            M[c] += omega[picks[-1], c] * np.outer(h[picks[-1]], h[picks[-1]])
    return picks, gains


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "saturated"])
def test_the_formula_for_blocks(kind):
    f, h = problem(kind)
    picks, gains = published_blocks(f, h, 15, 1.0)
    found = greedy_fisher(last_layer_factors(f, h, bias=False, curvature="blocks"), 15)
    np.testing.assert_array_equal(found, picks)
    np.testing.assert_allclose(found.gains, gains, rtol=1e-9)


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_120_picks_each_the_best_and_60_removals_each_the_least(kind, dtype):
    f, h = problem(kind, N=160)
    V = last_layer_factors(
        torch.from_numpy(f).to(dtype), torch.from_numpy(h).to(dtype), curvature="blocks"
    )
    labelled, candidates = np.arange(10), np.arange(10, 160)
    dense = V.double().dense().numpy()
    found = greedy_fisher(V, 120, labelled=labelled)
    short = shortfalls(dense, found.indices, candidates, labelled, 120)
    assert short.max() <= TOLERANCE
    assert found.n_refreshes < 24
    found = greedy_fisher(V, 60, labelled=labelled, oversample=2.0)
    excess = removal_excesses(dense, found.indices, found.removed, candidates, labelled, 60)
    assert excess.max() <= TOLERANCE


@pytest.mark.parametrize("curvature", ["blocks", "binary"])
def test_saturated_probabilities_go_by_position(curvature):
    f, h = problem("saturated")
    V = last_layer_factors(f, h, curvature=curvature)
    assert not V.dense().any()
    np.testing.assert_array_equal(greedy_fisher(V, 12), np.arange(12))
    again = last_layer_factors(f * 0 + np.array([0, 40.0, 0, 0]), h, curvature=curvature)
    assert (again.traces() > 0).all()  # 1 − p is 0 in float32, and not what it stands for


@pytest.mark.parametrize(
    "case", ["linear rows", "only a head", "head without bias", "two classes", "batch norm 2d"]
)
@pytest.mark.parametrize("curvature", ["full", "blocks"])
@pytest.mark.parametrize("batch_size", [2, 256])
def test_they_are_blocks_of_the_network(case, curvature, batch_size):
    module, X = CASES[case].build()
    head = module.get_submodule(find_head(module, X))
    n_last = sum(p.numel() for p in head.parameters())
    V = naive_rows(module, X)[:, :, -n_last:]
    C, D = head.weight.shape
    columns = [torch.arange(C * D).view(C, D)]
    if head.bias is not None:
        columns.append(C * D + torch.arange(C)[:, None])
    V = V[:, :, torch.cat(columns, 1).flatten()]
    information = torch.einsum("nck,ncl->nkl", V, V)
    D += head.bias is not None
    if curvature == "blocks":
        information = information * torch.block_diag(*[torch.ones(D, D)] * C)
    found = head_factors(module, X, curvature=curvature, batch_size=batch_size).dense()
    torch.testing.assert_close(
        torch.einsum("nck,ncl->nkl", found, found), information, atol=1e-12, rtol=1e-9
    )


def test_two_classes_in_blocks_are_twice_one():
    """ω is the same of both, so that blocks, binary and full agree up to the scale of λ."""
    f, h = problem("random", C=2)
    blocks = greedy_fisher(last_layer_factors(f, h, curvature="blocks"), 10)
    binary = greedy_fisher(last_layer_factors(f, h, curvature="binary"), 10)
    full = greedy_fisher(last_layer_factors(f, h), 10, regularization=2.0)
    np.testing.assert_array_equal(blocks, binary)
    np.testing.assert_array_equal(blocks, full)
    np.testing.assert_allclose(blocks.gains, 2 * binary.gains)


def test_equal_samples_go_by_position():
    f, h = problem("duplicated")
    picks = greedy_fisher(last_layer_factors(f, h, curvature="blocks"), 40).indices
    for i in range(8):
        own = picks[picks % 8 == i]
        np.testing.assert_array_equal(own, np.arange(len(own)) * 8 + i)


def test_two_stages():
    f, h = problem("random", N=300)
    V = last_layer_factors(f, h, curvature="blocks")
    sizes = []

    def factors_of(at):
        sizes.append(len(at))
        return V.take(torch.as_tensor(at))

    pool = np.arange(300)
    found = greedy_fisher_in_blocks(factors_of, pool, 10, block_size=90, random_state=0)
    assert max(sizes) <= 90
    dense = V.dense().numpy()
    values = [
        objective(dense, picks, pool, np.arange(0), 10)
        for picks in (greedy_fisher(V, 10).indices, found.indices, pool[:10])
    ]
    assert values[1] < values[0] + 0.1 * (values[2] - values[0])


def test_products_of_the_factors_are_those_of_the_whole():
    f, h = problem("random", N=7)
    V = last_layer_factors(f, h, curvature="blocks")
    assert isinstance(V, BlockFactors)
    assert isinstance(V.whole(), KroneckerFactors)
    dense, k = V.dense(), V.shape[2]
    assert dense.shape == V.shape == (7, 4, 28)
    assert V.numbers_each == 4 + 7
    draw = torch.Generator().manual_seed(0)
    W = torch.randn(k, k, generator=draw, dtype=torch.float64)
    T = torch.randn(7, 4, 3, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(V.matmul(W), dense @ W)
    torch.testing.assert_close(V.quadratic(W + W.T), dense @ (W + W.T) @ dense.mT)
    torch.testing.assert_close(V.tmatmul(T), torch.einsum("nck,ncm->km", dense, T))
    torch.testing.assert_close(V.contract(dense), dense @ dense.mT)
    weights = torch.arange(7.0)
    gram = torch.einsum("nck,n,ncl->kl", dense, weights.double(), dense)
    torch.testing.assert_close(V.gram(weights), gram)
    torch.testing.assert_close(torch.block_diag(*V.information(weights)[0]), gram)
    torch.testing.assert_close(V.traces(), dense.square().sum((1, 2)))
    torch.testing.assert_close(V.rows(-1), dense[-1])


def test_messages():
    f, h = problem("random")
    with pytest.raises(ValueError, match="'curvature' parameter of last_layer.*'full', 'blocks'"):
        last_layer_factors(f, h, curvature="half")
    with pytest.raises(ValueError, match="'rank'.*None where curvature='blocks'"):
        last_layer_factors(f, h, curvature="blocks", rank=2)
    V = last_layer_factors(f, h, curvature="blocks")
    with pytest.raises(ValueError, match="'components' parameter of greedy_fisher .*in blocks"):
        greedy_fisher(V, 2, components=3)
    with pytest.raises(ValueError, match="'components' parameter of greedy_fisher_in_b.*in blocks"):
        greedy_fisher_in_blocks(
            lambda at: V.take(torch.as_tensor(at)), np.arange(80), 2, components=3
        )
    with pytest.raises(ValueError, match="'regularization'.*large enough"):
        greedy_fisher(V, 4, labelled=[0], regularization=1e-60)
    with pytest.raises(ValueError, match=r"'roots' .*\(N, C\)"):
        BlockFactors(torch.ones(3), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"'right' .*\(3, D\)"):
        BlockFactors(torch.ones(3, 2), torch.ones(2, 2))
