"""Picks against the published loop, in float64, a step at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive._factors import ConcatenatedFactors, DenseFactors, KroneckerFactors
from skactive.selection import greedy_fisher
from skactive.selection._greedy_fisher import greedy_fisher_steps
from tests.oracles import gains_given, information, objective, published_greedy, woodbury

# A pick's float64 gain may fall short of the best by this part of it: near-ties may swap.
TOLERANCE = 1e-8


def factors_of(problem: str, dtype: torch.dtype, N: int = 540, seed: int = 0):
    """Factors as FisherMask's are: a last layer, and a few weights elsewhere."""
    draw = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    C, D, elsewhere = 4, 9, 7
    logits, h, dense = randn(N, C) * 2, randn(N, D), randn(N, C, elsewhere)
    if problem == "ill-scaled":
        h = h * 10.0 ** torch.linspace(-2, 2, D, dtype=torch.float64)
        dense = dense * 10.0 ** torch.linspace(2, -2, elsewhere, dtype=torch.float64)
        h, dense = h[torch.randperm(N, generator=draw)], dense * randn(N, 1, 1).exp()
    elif problem == "duplicated":
        again = torch.arange(N) % (N // 9)
        logits, h, dense = logits[again], h[again], dense[again]
    elif problem == "nearly confident":
        logits = logits * 15
    p = logits.softmax(1)
    S = p.sqrt()[:, :, None] * (torch.eye(C, dtype=p.dtype) - p[:, None])
    dense = S @ dense
    last = KroneckerFactors(S.to(dtype), h.to(dtype))
    order = torch.randperm(C * D + elsewhere, generator=draw)
    return ConcatenatedFactors(
        [last, DenseFactors(dense.to(dtype))], [order[: C * D], order[C * D :]]
    )


def shortfalls(V, picks, candidates, labelled, n, regularization=1.0):
    """By how much each pick's gain falls short of the step's best, as a part of that."""
    I_U, M, V = information(V, candidates, labelled, n, regularization)
    W, left, short = np.linalg.inv(M), list(candidates), []
    for pick in picks:
        gains = gains_given(W, I_U, V[left])
        at = left.index(pick)
        short.append(1 - gains[at] / gains.max())
        W = woodbury(W, V[left.pop(at)])
    return np.array(short)


def removal_excesses(V, picked, kept, candidates, labelled, n, regularization=1.0):
    """By how much each removal's loss exceeds the step's least, when removed in the best order."""
    I_U, M, V = information(V, candidates, labelled, n, regularization)
    W = np.linalg.inv(M + np.einsum("nck,ncl->kl", V[picked], V[picked], optimize=True))
    left, gone, excess = list(picked), set(picked) - set(kept), []
    while gone:
        losses = gains_given(W, I_U, V[left], -1.0)
        at = min((i for i, x in enumerate(left) if x in gone), key=lambda i: losses[i])
        excess.append(losses[at] / losses.min() - 1)
        gone.remove(left[at])
        W = woodbury(W, V[left.pop(at)], -1.0)
    return np.array(excess)


PROBLEMS = ["random", "ill-scaled", "duplicated", "nearly confident"]


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("regularization", [1.0, 1e-4])
def test_500_picks_each_the_best_by_gain(problem, dtype, regularization):
    factors = factors_of(problem, dtype)
    labelled = np.arange(3, 13)
    result = greedy_fisher_steps(factors, 500, labelled=labelled, regularization=regularization)
    assert len(set(result.indices)) == 500
    V = factors.dense().double().numpy()
    candidates = np.setdiff1d(np.arange(len(V)), labelled)
    short = shortfalls(V, result.indices, candidates, labelled, 500, regularization)
    assert short.max() <= TOLERANCE


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_forward_then_backward(problem, dtype):
    factors = factors_of(problem, dtype, N=120)
    labelled, n = np.arange(3, 13), 30
    picked = greedy_fisher_steps(factors, n, labelled=labelled, oversample=1.0)
    V = factors.dense().double().numpy()
    candidates = np.setdiff1d(np.arange(len(V)), labelled)
    assert shortfalls(V, picked.indices, candidates, labelled, n).max() <= TOLERANCE
    kept = greedy_fisher(factors, n, labelled=labelled, oversample=2.0)
    more = published_greedy(V, 2 * n, candidates, labelled)
    assert len(kept) == len(set(kept)) == n
