"""The last layer in blocks beside one block of other weights, against plain loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.fisher import (
    BlockFactors,
    DenseFactors,
    SeparateFactors,
    fisher_factors,
    greedy_fisher,
    greedy_fisher_in_blocks,
    last_layer_factors,
)
from skactive.gradients import find_head
from tests.cases import CASES
from tests.fisher.test_blocks import ALL, LABELLED, check_picks, naive, problem
from tests.fisher.test_greedy_fisher import PROBLEMS, TOLERANCE, removal_excesses, shortfalls
from tests.oracles import class_rows, naive_rows


def elsewhere(kind, f, k=5, seed=1):
    """Rows of the other weights, (N, C, k), from random gradients of the logits."""
    J = np.random.default_rng(seed).standard_normal((len(f), f.shape[1], k))
    if kind == "ill-scaled":
        J = J * 10.0 ** np.linspace(2, -2, k)
    elif kind == "duplicated":
        J = J[np.arange(len(f)) % 8]
    S = torch.stack([class_rows(one, "probability") for one in torch.from_numpy(f)])
    return S.numpy() @ J


def both(kind, **size):
    """Factors, and V of the definition: (N, 2C, C·D + k), zeros between the parts."""
    f, h = problem(kind, **size)
    head, rest = naive(f, h, "blocks"), elsewhere(kind, f)
    V = np.zeros((len(f), 2 * f.shape[1], head.shape[2] + rest.shape[2]))
    V[:, : f.shape[1], : head.shape[2]] = head
    V[:, f.shape[1] :, head.shape[2] :] = rest
    blocks = last_layer_factors(f, h, bias=False, curvature="blocks")
    return SeparateFactors([blocks, DenseFactors(torch.from_numpy(rest))]), V


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "saturated"])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_picks_are_those_of_the_plain_loop(kind, oversample, weighted):
    check_picks(*both(kind), kind, oversample, weighted)


def test_the_gain_is_the_sum_of_the_parts_gains():
    V, _ = both("random")
    first = greedy_fisher(V, 1, labelled=LABELLED)
    gains = []
    for part in V.parts:
        only = greedy_fisher(part, 1, candidates=first.indices, labelled=LABELLED, weights=ones())
        gains.append(only.gains[0])
    both_weighted = greedy_fisher(V, 1, candidates=first.indices, labelled=LABELLED, weights=ones())
    assert both_weighted.gains[0] == pytest.approx(sum(gains), rel=1e-12)


def ones():
    return np.ones(80)


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_100_picks_each_the_best_and_50_removals_each_the_least(kind, dtype):
    V, _ = both(kind, N=160)
    V = SeparateFactors(
        [
            BlockFactors(*(one.to(dtype) for one in (V.parts[0].roots, V.parts[0].right))),
            DenseFactors(V.parts[1].values.to(dtype)),
        ]
    )
    labelled, candidates = np.arange(10), np.arange(10, 160)
    dense = V.double().dense().numpy()
    found = greedy_fisher(V, 100, labelled=labelled)
    short = shortfalls(dense, found.indices, candidates, labelled, 100)
    assert short.max() <= TOLERANCE
    found = greedy_fisher(V, 50, labelled=labelled, oversample=2.0)
    excess = removal_excesses(dense, found.indices, found.removed, candidates, labelled, 50)
    assert excess.max() <= TOLERANCE


def test_equal_and_saturated_samples_go_by_position():
    V, _ = both("duplicated")
    picks = greedy_fisher(V, 40).indices
    for i in range(8):
        own = picks[picks % 8 == i]
        np.testing.assert_array_equal(own, np.arange(len(own)) * 8 + i)
    V, _ = both("saturated")
    assert not V.dense().any()
    np.testing.assert_array_equal(greedy_fisher(V, 12), np.arange(12))


def test_two_stages():
    V, _ = both("random", N=200)
    sizes = []

    def factors_of(at):
        sizes.append(len(at))
        return V.take(torch.as_tensor(at))

    given = {"labelled": np.arange(190, 200), "block_size": 80, "random_state": 0}
    found = greedy_fisher_in_blocks(factors_of, np.arange(190), 10, **given)
    assert max(sizes) <= 80
    whole = greedy_fisher(V, 10, labelled=np.arange(190, 200))
    assert found.gains.sum() > 0.9 * whole.gains.sum()


def test_products_of_the_factors_are_those_of_the_whole():
    V, plain = both("random", N=7)
    dense, k = V.dense(), V.shape[2]
    assert V.shape == plain.shape == (7, 8, 29)
    torch.testing.assert_close(
        torch.einsum("nck,ncl->nkl", dense, dense),
        torch.from_numpy(np.einsum("nck,ncl->nkl", plain, plain)),
    )
    assert V.numbers_each == 4 + 6 + 4 * 5
    assert V.information_numbers == 4 * 6**2 + 5**2
    draw = torch.Generator().manual_seed(0)
    W = torch.randn(k, k, generator=draw, dtype=torch.float64)
    T = torch.randn(7, 8, 3, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(V.matmul(W), dense @ W)
    torch.testing.assert_close(V.quadratic(W + W.T), dense @ (W + W.T) @ dense.mT)
    torch.testing.assert_close(V.tmatmul(T), torch.einsum("nck,ncm->km", dense, T))
    torch.testing.assert_close(V.contract(dense), dense @ dense.mT)
    weights = torch.arange(7.0)
    gram = torch.einsum("nck,n,ncl->kl", dense, weights.double(), dense)
    torch.testing.assert_close(V.gram(weights), gram)
    of_head, of_rest = V.information(weights)
    torch.testing.assert_close(torch.block_diag(*of_head, of_rest), gram)
    torch.testing.assert_close(V.traces(), dense.square().sum((1, 2)))
    torch.testing.assert_close(V.rows(-1), dense[-1])


@pytest.mark.parametrize(
    "case", ["linear rows", "head without bias", "two classes", "batch norm 2d", "layer norm"]
)
@pytest.mark.parametrize("batch_size", [2, 256])
def test_they_are_blocks_of_the_network(case, batch_size):
    module, X = CASES[case].build()
    head = module.get_submodule(find_head(module, X))
    n_last, (C, D) = sum(p.numel() for p in head.parameters()), head.weight.shape
    V = naive_rows(module, X)
    P = V.shape[2]
    rest = np.sort(np.random.default_rng(0).choice(P - n_last, 9, replace=False))
    by_class = torch.arange(P - n_last, P - n_last + C * D).view(C, D)
    if head.bias is not None:
        by_class = torch.cat([by_class, torch.arange(P - C, P)[:, None]], 1)
    V = V[:, :, torch.cat([by_class.flatten(), torch.as_tensor(rest)])]
    D += head.bias is not None
    kept = torch.block_diag(*[torch.ones(D, D)] * C, torch.ones(9, 9))
    mask = np.concatenate([rest, np.arange(P - n_last, P)])
    found = fisher_factors(
        module, X, mask, weighting="reduced", curvature="blocks", batch_size=batch_size
    )
    assert found.shape == (len(X), 2 * C - 1, C * D + 9)
    found = found.dense()
    torch.testing.assert_close(
        torch.einsum("nck,ncl->nkl", found, found),
        torch.einsum("nck,ncl->nkl", V, V) * kept,
        atol=1e-12,
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("weighting", "rank"),
    [("probability", 1), ("reduced", 2), ("probability", None), ("uniform", None)],
)
def test_the_blocks_of_the_last_layer_are_exact(weighting, rank):
    """Whatever the rank: it is the other parameters' that lose something by it."""
    module, X = CASES["linear rows"].build()
    head = module.get_submodule(find_head(module, X))
    C, P = len(head.weight), sum(p.numel() for p in module.parameters())
    n_last = sum(p.numel() for p in head.parameters())
    found = fisher_factors(
        module,
        X,
        [0, *range(P - n_last, P)],
        weighting=weighting,
        rank=rank,
        curvature="blocks",
    )
    omega = []
    with torch.no_grad():
        for logits in module(X).double():
            p = logits.softmax(0)
            rows = torch.eye(C).double() - p
            counted = torch.ones(C).double() if weighting == "uniform" else p
            omega.append(sum(w * row**2 for w, row in zip(counted, rows, strict=True)))
    torch.testing.assert_close(found.parts[0].roots ** 2, torch.stack(omega), check_dtype=False)


def test_the_last_layer_alone_is_in_blocks():
    module, X = CASES["linear rows"].build()
    n_last = sum(p.numel() for p in module[-1].parameters())
    P = sum(p.numel() for p in module.parameters())
    found = fisher_factors(module, X, np.arange(P - n_last, P), curvature="blocks")
    assert isinstance(found, BlockFactors)


def test_messages():
    module, X = CASES["linear rows"].build()
    with pytest.raises(ValueError, match="'curvature' parameter of fisher_f.*'full' or 'blocks'"):
        fisher_factors(module, X, [0, 1], curvature="binary")
    with pytest.raises(ValueError, match="'curvature' parameter of fisher_factors.*whole last lay"):
        fisher_factors(module, X, [0, 1], curvature="blocks")
    V, _ = both("random")
    with pytest.raises(ValueError, match="'components' parameter of greedy_fisher .*in blocks"):
        greedy_fisher(V, 2, components=3)
    with pytest.raises(ValueError, match="'parts' .*of the same samples"):
        SeparateFactors([V.parts[0], V.parts[1].take(slice(0, 3))])
