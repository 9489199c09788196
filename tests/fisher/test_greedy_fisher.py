"""Picks against the published loop, in float64, a step at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.fisher import greedy_fisher
from skactive.fisher._concatenated import ConcatenatedFactors
from skactive.fisher._dense import DenseFactors
from skactive.fisher._full import gains_of
from skactive.fisher._kronecker import KroneckerFactors
from tests.oracles import gains_given, information, objective, published_greedy, woodbury

# A pick's float64 gain may fall short of the best by this part of it: near-ties may swap. Where M
# is so ill-conditioned that float64 itself is less exact than that, by the accuracy of float64.
TOLERANCE = 1e-8


def tolerance(V, picks, labelled, n, regularization=1.0):
    _, M, V = information(V, picks, labelled, n, regularization)
    M = M + np.einsum("nck,ncl->kl", V[picks], V[picks], optimize=True)
    return max(TOLERANCE, np.finfo(float).eps * np.linalg.cond(M))


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


def removal_excesses(V, kept, removed, candidates, labelled, n, regularization=1.0):
    """By how much each removal's loss exceeds the step's least, as a part of that."""
    I_U, M, V = information(V, candidates, labelled, n, regularization)
    left = [*kept, *removed]
    W, excess = np.linalg.inv(M + np.einsum("nck,ncl->kl", V[left], V[left], optimize=True)), []
    for gone in removed:
        losses = gains_given(W, I_U, V[left], -1.0)
        at = left.index(gone)
        excess.append(losses[at] / losses.min() - 1)
        W = woodbury(W, V[left.pop(at)], -1.0)
    return np.array(excess)


PROBLEMS = ["random", "ill-scaled", "duplicated", "nearly confident"]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("regularization", [1.0, 1e-4])
def test_150_picks_each_the_best_by_gain(problem, dtype, regularization):
    factors = factors_of(problem, dtype, N=180)
    labelled = np.arange(3, 13)
    result = greedy_fisher(factors, 150, labelled=labelled, regularization=regularization)
    assert len(set(result.indices)) == 150
    assert result.n_refreshes > 0
    V = factors.dense().double().numpy()
    candidates = np.setdiff1d(np.arange(len(V)), labelled)
    short = shortfalls(V, result.indices, candidates, labelled, 150, regularization)
    assert short.max() <= tolerance(V, result.indices, labelled, 150, regularization)
    if regularization == 1:
        assert tolerance(V, result.indices, labelled, 150) == TOLERANCE


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_150_picks_and_75_removals_each_the_least_by_loss(problem, dtype):
    factors = factors_of(problem, dtype, N=180)
    labelled = np.arange(3, 13)
    result = greedy_fisher(factors, 75, labelled=labelled, oversample=2.0)
    assert len(result.removed) == 75
    assert not set(result.removed) & set(result.indices)
    V = factors.dense().double().numpy()
    candidates = np.setdiff1d(np.arange(len(V)), labelled)
    excess = removal_excesses(V, result.indices, result.removed, candidates, labelled, 75)
    assert excess.max() <= TOLERANCE


@pytest.mark.parametrize("given", ["structured", "dense tensor", "array", "list of part"])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
def test_the_published_loop_picks_the_same(given, oversample):
    factors = factors_of("random", torch.float64, N=60)
    V, candidates, labelled = factors.dense().numpy(), np.arange(5, 55), np.array([0, 2, 57])
    if given == "dense tensor":
        factors = factors.dense()
    elif given == "array":
        factors = V
    elif given == "list of part":
        factors = DenseFactors(factors.dense())
    picks = greedy_fisher(
        factors, 12, candidates=candidates, labelled=labelled, oversample=oversample
    )
    expected = published_greedy(V, 12, candidates, labelled, oversample_to=int(12 * oversample))
    assert picks.indices.dtype == np.int64
    np.testing.assert_array_equal(picks, expected)


def test_gains_are_decreases_of_the_objective():
    factors = factors_of("random", torch.float64, N=50)
    V, labelled = factors.dense().numpy(), np.arange(4)
    candidates = np.arange(4, 50)
    result = greedy_fisher(factors, 6, labelled=labelled, regularization=0.5)
    values = [objective(V, result.indices[:i], candidates, labelled, 6, 0.5) for i in range(7)]
    np.testing.assert_allclose(result.gains, -np.diff(values), rtol=1e-9)


def test_without_labelled_samples_their_term_is_absent():
    V = factors_of("random", torch.float64, N=40).dense().numpy()
    none = np.array([], dtype=int)
    expected = published_greedy(V, 8, np.arange(40), none)
    np.testing.assert_array_equal(greedy_fisher(V, 8), expected)
    np.testing.assert_array_equal(greedy_fisher(V, 8, labelled=[]), expected)


def test_equal_samples_go_by_position():
    one = factors_of("random", torch.float32, N=12).dense()
    V = one.repeat(5, 1, 1)  # samples i, i + 12, i + 24, ... are the same
    picks = greedy_fisher(V, 40).indices
    for i in range(12):
        own = picks[picks % 12 == i]
        assert (np.diff(own) > 0).all()
        np.testing.assert_array_equal(own, np.arange(len(own)) * 12 + i)


def test_all_equal_and_all_zero():
    np.testing.assert_array_equal(greedy_fisher(np.ones((30, 2, 3)), 12), np.arange(12))
    np.testing.assert_array_equal(greedy_fisher(np.zeros((30, 2, 3)), 12), np.arange(12))


def test_all_candidates_are_picked_and_a_pool_of_one():
    V = factors_of("random", torch.float64, N=20).dense().numpy()
    assert sorted(greedy_fisher(V, 20)) == list(range(20))
    assert sorted(greedy_fisher(V, 19, oversample=3.0, labelled=[4])) == [
        i for i in range(20) if i != 4
    ]
    np.testing.assert_array_equal(greedy_fisher(V[:1], 1), [0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("N", [2, 5, 8, 9, 12])
def test_no_sample_twice_where_there_are_few(N, dtype):
    V = factors_of("random", dtype, N=N + 20)
    labelled = np.arange(N, N + 20)
    for n in range(1, N + 1):
        picks = greedy_fisher(V, n, labelled=labelled)
        expected = published_greedy(V.dense().double().numpy(), n, np.arange(N), labelled)
        np.testing.assert_array_equal(picks, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("oversample", [1.0, 2.0])
def test_factors_of_one_row(oversample, dtype):
    """As those of two classes are, reduced."""
    draw = torch.Generator().manual_seed(0)
    left = torch.rand(40, 1, 2, generator=draw, dtype=torch.float64) - 0.5
    h = torch.randn(40, 6, generator=draw, dtype=torch.float64)
    V = KroneckerFactors(left.to(dtype), h.to(dtype))
    expected = published_greedy(
        V.dense().double().numpy(),
        8,
        np.arange(40),
        np.arange(0),
        oversample_to=int(8 * oversample),
    )
    np.testing.assert_array_equal(greedy_fisher(V, 8, oversample=oversample), expected)


def test_all_are_picked_and_half_removed():
    for seed in range(10):
        V = np.random.default_rng(seed).standard_normal((8, 3, 6))
        expected = published_greedy(V, 4, np.arange(8), np.arange(0), oversample_to=8)
        np.testing.assert_array_equal(greedy_fisher(V, 4, oversample=2.0), expected)


@pytest.mark.parametrize("N", [1, 5])
@pytest.mark.parametrize("C", [1, 3])
def test_gains_leave_their_arguments_alone(N, C):
    V = torch.randn(N, C, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    A, B = V @ V.mT, torch.ones(N, C, C, dtype=torch.float64)
    before = A.clone(), B.clone()
    gains, _ = gains_of(A, B)
    inverse = torch.linalg.inv(torch.eye(C, dtype=A.dtype) + A)
    torch.testing.assert_close(gains, (inverse * B).sum((1, 2)))
    assert torch.equal(A, before[0])
    assert torch.equal(B, before[1])


@pytest.mark.parametrize("regularization", [1e-6, 1e-7, 1e-8])
def test_a_tiny_regularization(regularization):
    V = np.random.default_rng(1).standard_normal((80, 2, 8))
    picks = greedy_fisher(V, 20, regularization=regularization)
    expected = published_greedy(V, 20, np.arange(80), np.arange(0), regularization=regularization)
    ours, theirs = (
        objective(V, p, np.arange(80), np.arange(0), 20, regularization) for p in (picks, expected)
    )
    assert ours <= theirs * (1 + 1e-4)


def test_message_for_a_regularization_that_is_too_small():
    V = np.random.default_rng(0).standard_normal((30, 2, 4))
    with pytest.raises(ValueError, match="'regularization'.*large enough.*Raise it, or scale"):
        greedy_fisher(V, 4, regularization=1e-60)


def test_near_ties_in_float64_are_told_apart():
    V = np.diag(1 + 2e-7 * np.arange(40.0))[:, None]
    np.testing.assert_array_equal(greedy_fisher(V, 3), [39, 38, 37])


def test_few_candidates_among_many():
    V = factors_of("random", torch.float64, N=60).dense().numpy()
    candidates = np.array([50, 3, 17, 30, 8])
    picks = greedy_fisher(V, 3, candidates=candidates, labelled=[1, 2])
    expected = published_greedy(V, 3, np.sort(candidates), np.array([1, 2]))
    np.testing.assert_array_equal(picks, expected)


def test_inputs_are_left_alone():
    V = factors_of("random", torch.float32, N=30).dense()
    before = V.clone()
    greedy_fisher(V, 5, labelled=[0, 1], oversample=2.0)
    assert torch.equal(V, before)


BAD = {
    "factors 2-D": (
        {"factors": np.ones((3, 2))},
        r"'factors'.*must be what fisher_factors .*\(N, C, k\)",
    ),
    "factors ints": ({"factors": np.ones((3, 2, 2), dtype=int)}, "'factors'.*floats of shape"),
    "factors nan": ({"factors": np.full((3, 2, 2), np.nan)}, "'factors'.*finite"),
    "structured nan": (
        {"factors": KroneckerFactors(torch.full((5, 2, 2), torch.nan), torch.ones(5, 3))},
        "'factors'.*finite",
    ),
    "n 0": ({"n": 0}, r"'n'.*int from 1 to 5 \(the candidates\).*Got 0"),
    "n too large": ({"n": 4, "labelled": [0, 1]}, "'n'.*int from 1 to 3.*Got 4"),
    "n bool": ({"n": True}, "'n'.*int from 1 to 5"),
    "candidate out of range": (
        {"candidates": [0, 5]},
        "'candidates'.*distinct int positions from 0 to 4",
    ),
    "candidate twice": ({"candidates": [1, 1]}, "'candidates'.*distinct"),
    "no candidate": ({"candidates": []}, "'candidates'.*distinct"),
    "bools": (
        {"labelled": np.array([True, False] * 2 + [True])},
        "'labelled'.*Of a bool array, pass np.flatnonzero",
    ),
    "floats": ({"labelled": [0.0, 1.0]}, "'labelled'.*distinct int positions"),
    "both": (
        {"candidates": [0, 1], "labelled": [1]},
        "'candidates'.*not labelled.*Position 1 is in both",
    ),
    "all labelled": (
        {"labelled": range(5)},
        "'labelled'.*fewer than all 5.*Nothing is left to pick",
    ),
    "regularization": ({"regularization": 0}, "'regularization'.*finite number above 0.*Got 0"),
    "regularization nan": ({"regularization": float("nan")}, "'regularization'.*finite number"),
    "oversample": ({"oversample": 0.5}, "'oversample'.*finite number of at least 1.*Got 0.5"),
    "oversample text": ({"oversample": "2"}, "'oversample'.*finite number of at least 1"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_messages(change, message):
    arguments = {"factors": np.ones((5, 2, 2)), "n": 1, **change}
    factors, n = arguments.pop("factors"), arguments.pop("n")
    with pytest.raises(ValueError, match=message):
        greedy_fisher(factors, n, **arguments)


def test_oversample_is_taken_as_written():
    V = factors_of("random", torch.float64, N=40).dense().numpy()
    # 1.1 · 10 is a little above 11 in floating point.
    result = greedy_fisher(V, 10, oversample=1.1)
    assert len(result.removed) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("C", [1, 2, 5])
def test_gains_are_updated_not_computed_anew(C, dtype):
    """With factors of one row, an update shared its memory: all gains were anew at every pick."""
    draw = torch.Generator().manual_seed(0)
    V = DenseFactors(0.2 * torch.randn(2000, C, 32, generator=draw, dtype=torch.float64).to(dtype))
    result = greedy_fisher(V, 40)
    assert result.n_refreshes <= 2
    short = shortfalls(V.dense().double().numpy(), list(result), range(2000), [], 40)
    assert max(short) <= TOLERANCE
