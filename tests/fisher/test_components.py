"""Fewer directions, against an eigendecomposition of I_T and the published loop on V U."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.fisher import _components as components
from skactive.fisher import greedy_fisher, greedy_fisher_in_blocks
from skactive.fisher._components import top_directions
from skactive.fisher._dense import DenseFactors
from skactive.fisher._kronecker import KroneckerFactors
from tests.fisher.test_greedy_fisher import PROBLEMS, factors_of
from tests.oracles import information, objective, published_greedy

POOL, LABELLED = np.arange(5, 75), np.array([0, 2, 77])


def naive(V, m, n=12, candidates=POOL, labelled=LABELLED, weights=None, **changes):
    """The published loop on the top m eigenvectors of I_T, and the share of the trace kept."""
    I_T, _, _ = information(V, candidates, labelled, n, 1.0, weights)
    values, vectors = np.linalg.eigh(I_T)
    picks = published_greedy(
        V @ vectors[:, ::-1][:, :m], n, candidates, labelled, weights=weights, **changes
    )
    return picks, values[::-1][:m].sum() / values.sum()


def alike(picks, problem, oversample):
    """Of equal samples the plain loop removes any; there are 8 different ones."""
    tied = problem == "duplicated" and oversample > 1
    return sorted(np.asarray(picks) % 8) if tied else list(picks)


@pytest.mark.parametrize("m", [1, 4, 20])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_published_loop_on_the_top_directions(m, problem, oversample, weighted):
    factors = factors_of(problem, torch.float64, N=80)
    weights = np.random.default_rng(0).random(80) if weighted else None
    expected, kept = naive(
        factors.dense().numpy(), m, weights=weights, oversample_to=int(12 * oversample)
    )
    given = {"labelled": LABELLED, "weights": weights, "oversample": oversample, "components": m}
    found = greedy_fisher(factors, 12, candidates=POOL, **given)
    assert alike(found, problem, oversample) == alike(expected, problem, oversample)
    assert found.kept == pytest.approx(kept, rel=1e-9)
    in_one = greedy_fisher_in_blocks(
        lambda at: factors.take(torch.as_tensor(at)), POOL[::-1], 12, **given
    )
    assert alike(in_one, problem, oversample) == alike(expected, problem, oversample)
    assert in_one.kept == pytest.approx(kept, rel=1e-9)


@pytest.mark.parametrize("m", [43, 1000])
def test_all_directions_are_the_whole(m):
    factors = factors_of("random", torch.float64, N=80)
    assert factors.shape[2] == 43
    expected = greedy_fisher(factors, 20, labelled=LABELLED)
    found = greedy_fisher(factors, 20, labelled=LABELLED, components=m)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found.gains, expected.gains)
    assert found.kept == pytest.approx(1)
    assert expected.kept == 1


def wide(kind: str, dtype=torch.float64, N=150):
    """Factors on k = 600 parameters, whose information falls off as a network's does."""
    draw = torch.Generator().manual_seed(0)
    h = torch.randn(N, 150, generator=draw, dtype=torch.float64)
    turned = torch.linalg.qr(torch.randn(150, 150, generator=draw, dtype=torch.float64)).Q
    h = h * 0.9 ** torch.arange(150) @ turned
    left = torch.randn(N, 3, 4, generator=draw, dtype=torch.float64)
    factors = KroneckerFactors(left.to(dtype), h.to(dtype))
    return factors if kind == "Kronecker" else DenseFactors(factors.dense())


@pytest.mark.parametrize("kind", ["Kronecker", "dense"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_directions_of_many_parameters_without_their_matrix(kind, dtype, monkeypatch):
    factors = wide(kind, dtype)
    V = factors.dense().double().numpy()
    w = np.random.default_rng(0).random(len(V))
    I_T = np.einsum("n,nck,ncl->kl", w, V, V, optimize=True)
    monkeypatch.setattr(type(factors), "gram", None)  # it would be k × k
    U = top_directions([(factors, torch.from_numpy(w))], 20).numpy()
    np.testing.assert_allclose(U.T @ U, np.eye(20), atol=1e-10)
    values = np.linalg.eigvalsh(I_T)
    assert np.trace(U.T @ I_T @ U) >= 0.9999 * values[-20:].sum()
    again = top_directions([(factors, torch.from_numpy(w))], 20).numpy()
    np.testing.assert_array_equal(again, U)
    # in two parts it is the same sum
    halves = [(factors.take(s), torch.from_numpy(w[s])) for s in (slice(0, 70), slice(70, None))]
    both = top_directions(halves, 20).numpy()
    assert np.abs(np.linalg.svd(both.T @ U)[1] - 1).max() < 1e-3


def test_enough_directions_reach_the_whole_objective():
    """On the scale from random batches (0) to the full greedy (1)."""
    factors = wide("Kronecker", torch.float32)
    V, labelled = factors.dense().double().numpy(), np.arange(10)
    pool = np.arange(10, 150)
    draw = np.random.default_rng(0)
    values = [
        objective(V, picks, pool, labelled, 15)
        for picks in (
            greedy_fisher(factors, 15, labelled=labelled).indices,
            greedy_fisher(factors, 15, labelled=labelled, components=64).indices,
            *(draw.choice(pool, 15, replace=False) for _ in range(5)),
        )
    ]
    full, lean, random = values[0], values[1], np.mean(values[2:])
    assert (random - lean) / (random - full) > 0.9


def test_equal_samples_go_by_position():
    V = factors_of("random", torch.float32, N=12).dense().repeat(5, 1, 1)
    picks = greedy_fisher(V, 40, components=5).indices
    for i in range(12):
        own = picks[picks % 12 == i]
        np.testing.assert_array_equal(own, np.arange(len(own)) * 12 + i)


def test_factors_of_zero():
    found = greedy_fisher(np.zeros((30, 2, 3)), 12, components=2)
    np.testing.assert_array_equal(found, np.arange(12))
    assert found.kept == 1


@pytest.mark.parametrize("block_size", [60, 120])
def test_blocks_have_one_stage(block_size):
    factors, sizes = wide("Kronecker"), []

    def factors_at(positions):
        sizes.append(len(positions))
        return factors.take(torch.as_tensor(positions))

    pool, labelled = np.arange(20, 150), np.arange(20)
    found = greedy_fisher_in_blocks(
        factors_at,
        pool,
        10,
        labelled=labelled,
        components=48,
        block_size=block_size,
        random_state=0,
    )
    assert max(sizes) <= block_size
    assert np.isin(found.indices, pool).all()
    exact = greedy_fisher(factors, 10, labelled=labelled, components=48)
    assert 0.85 * exact.kept < found.kept <= exact.kept * (1 + 1e-9)
    V = factors.dense().numpy()
    in_blocks, whole, first = (
        objective(V, at, pool, labelled, 10) for at in (found.indices, exact.indices, pool[:10])
    )
    assert (first - in_blocks) / (first - whole) > 0.9


def test_a_target_of_other_samples_in_blocks():
    factors = wide("dense")
    weights = np.zeros(150)
    weights[120:] = 1
    pool = np.arange(10, 100)
    found, expected = (
        greedy_fisher_in_blocks(
            lambda at: factors.take(torch.as_tensor(at)),
            pool,
            5,
            labelled=np.arange(10),
            weights=weights,
            components=12,
            block_size=size,
            random_state=0,
        )
        for size in (30, None)  # 30 is all that count: the same directions
    )
    np.testing.assert_array_equal(found, expected)
    assert found.kept == pytest.approx(expected.kept)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "all"])
def test_messages(bad):
    message = "'components' parameter of greedy_fisher.*int of at least 1"
    with pytest.raises(ValueError, match=message):
        greedy_fisher(np.ones((5, 2, 2)), 1, components=bad)
    with pytest.raises(ValueError, match=message):
        greedy_fisher_in_blocks(lambda at: None, np.arange(5), 1, components=bad)


def test_messages_for_what_is_not_finite_and_blocks_that_are_too_small():
    V = np.ones((5, 2, 3))
    V[1, 0, 0] = 1e200  # its square is not finite
    with pytest.raises(ValueError, match="'factors'.*squares"):
        greedy_fisher(V, 1, components=2)
    bad = DenseFactors(torch.full((5, 2, 3), torch.nan))
    with pytest.raises(ValueError, match="'factors_of'.*finite"):
        greedy_fisher_in_blocks(lambda at: bad.take(at), np.arange(5), 1, components=2)
    with pytest.raises(ValueError, match="'block_size'.*at least 3, the directions"):
        greedy_fisher_in_blocks(lambda at: bad, np.arange(5), 1, components=3, block_size=2)


def test_up_to_here_all_eigenvectors_are_computed():
    assert components.ALL_UP_TO < 600  # what `wide` has: else these tests miss the iteration
