"""BatchBALD against joint entropies by brute force, and its draws against its enumeration."""

from math import log

import numpy as np
import pytest
import torch

from skactive.selection import batch_bald, predictive_information
from skactive.selection._batch_bald import Configurations, Draws
from tests.oracles import greedy_joint_information


def problem(N, T, C, seed=0, scale=2.0):
    logits = np.random.default_rng(seed).normal(0, scale, (N, T, C))
    return torch.as_tensor(logits).log_softmax(2).numpy()


@pytest.mark.parametrize(
    ("N", "T", "C", "n"), [(9, 4, 3, 4), (7, 2, 2, 7), (6, 5, 4, 3), (5, 1, 3, 2)]
)
def test_greedy_on_exact_joint_information(N, T, C, n):
    log_p = problem(N, T, C)
    picks = batch_bald(log_p, n)
    indices, gains = picks.indices, picks.gains
    expected, values = greedy_joint_information(log_p, n)
    assert indices.dtype == np.int64
    if T > 1:  # with one draw nothing is to be learnt, and all are equal
        assert indices.tolist() == expected
    else:
        assert indices.tolist() == list(range(n))
    np.testing.assert_allclose(gains, values, rtol=1e-9, atol=1e-12)


def test_many_candidates_are_passed_over_and_the_picks_are_still_the_best():
    log_p = torch.as_tensor(problem(500, 6, 3, scale=1.0))
    picks = batch_bald(log_p, 8)
    indices, gains = picks.indices, picks.gains
    state, picked = Configurations.of_nothing(log_p), []
    conditional = torch.special.entr(log_p.exp()).sum(2).mean(1)
    for pick, gain in zip(indices, gains, strict=True):
        left = torch.tensor([i for i in range(500) if i not in picked])
        found = state.entropies(log_p, left) - conditional[left]
        assert float(found.max()) == pytest.approx(gain, abs=1e-12)
        assert int(left[found.argmax()]) == pick
        picked.append(int(pick))
        state = state.with_label_of(log_p, picked, 10**9, torch.Generator())


def test_draws_agree_with_the_enumeration():
    log_p = torch.as_tensor(problem(12, 4, 3))
    everything = torch.arange(12)
    exact = Configurations.of_nothing(log_p)
    for m in range(1, 4):
        exact = exact.with_label_of(log_p, [0, 5, 7][:m], 10**9, torch.Generator())
    drawn = Draws.of(log_p, [0, 5, 7], 400_000, torch.Generator().manual_seed(0))
    assert len(exact.posterior) == 27
    assert len(drawn.posterior) == 400_000
    torch.testing.assert_close(exact.probability.sum(), torch.tensor(1.0, dtype=torch.float64))
    # each is a mean of numbers from 0 to log 3, whose standard error is at most this
    error = log(3) / 2 / 400_000**0.5
    difference = exact.entropies(log_p, everything) - drawn.entropies(log_p, everything)
    assert float(difference.abs().max()) < 5 * error


def test_more_draws_are_closer():
    log_p = torch.as_tensor(problem(12, 4, 3))
    exact = batch_bald(log_p, 5).gains.sum()
    errors = []
    for n_configurations in (8, 200):  # 9 of two labels: drawn from the third pick on
        found = [
            batch_bald(log_p, 5, n_configurations=n_configurations, random_state=s).gains
            for s in range(20)
        ]
        errors.append(np.sqrt(np.mean([(gains.sum() - exact) ** 2 for gains in found])))
    assert errors[1] < errors[0] / 2


def test_seeds():
    log_p = problem(40, 5, 3)
    found = [
        batch_bald(log_p, 10, n_configurations=20, random_state=s).gains.tolist() for s in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
    before = torch.get_rng_state()
    batch_bald(log_p, 10, n_configurations=20)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_copy_adds_less_than_another_sample():
    a, b = [0.99, 0.01], [0.01, 0.99]
    copies = [[a, a, b, b]] * 3
    log_p = np.log(np.array([*copies, [[0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.2, 0.8]]]))
    assert list(batch_bald(log_p, 4)) == [0, 3, 1, 2]


def test_certain_predictions_and_classes_that_some_draws_do_not_know():
    with np.errstate(divide="ignore"):
        log_p = np.log(
            np.array(
                [
                    [[1.0, 0, 0], [0, 1, 0]],
                    [[0, 0, 1], [0, 0, 1]],
                    [[0.5, 0.5, 0], [0, 0.5, 0.5]],
                ]
            )
        )
    for n_configurations in (1, 100):
        picks = batch_bald(log_p, 3, n_configurations=n_configurations)
        indices, gains = picks.indices, picks.gains
        assert indices.tolist() == [0, 1, 2]  # 0 reveals everything, and nothing is left to learn
        np.testing.assert_allclose(gains, [log(2), 0, 0], atol=1e-12)


def test_blocks_do_not_matter(monkeypatch):
    log_p = problem(40, 5, 3)
    expected = batch_bald(log_p, 6, n_configurations=30, random_state=0)
    monkeypatch.setattr("skactive.selection._batch_bald._BLOCK_ON_CPU", 200)
    found = batch_bald(log_p, 6, n_configurations=30, random_state=0)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-12)


def test_float32_and_inputs_left_alone():
    log_p = torch.as_tensor(problem(60, 8, 4)).float()
    before = log_p.clone()
    picks = batch_bald(log_p, 5)
    assert torch.equal(log_p, before)
    np.testing.assert_allclose(picks.gains, batch_bald(log_p.double(), 5).gains, rtol=1e-4)
    assert len(set(picks.indices)) == 5


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"log_probs": np.zeros((3, 2))}, r"'log_probs' .* floats of shape \(N, T, C\)"),
        ({"log_probs": np.zeros((3, 2, 2))}, "'log_probs' .* sum to 1 over C.*log_softmax"),
        ({"log_probs": np.full((3, 2, 2), np.nan)}, "'log_probs' .* sum to 1"),
        ({"log_probs": np.zeros((3, 2, 1), dtype=int)}, "'log_probs' .* floats"),
        ({"n": 4}, r"'n' .* from 1 to 3 \(the samples\)"),
        ({"n_configurations": 0}, "'n_configurations' .* at least 1"),
        ({"random_state": "0"}, "'random_state' parameter of batch_bald"),
    ],
)
def test_errors(change, match):
    arguments = {"log_probs": np.full((3, 2, 2), -log(2)), "n": 1, **change}
    log_probs, n = arguments.pop("log_probs"), arguments.pop("n")
    with pytest.raises(ValueError, match=match):
        batch_bald(log_probs, n, **arguments)


@pytest.mark.cuda
def test_cuda_picks_as_the_cpu():
    log_p = torch.as_tensor(problem(200, 10, 4))
    for n_configurations in (20, 10_000):
        on_cpu = batch_bald(log_p, 6, n_configurations=n_configurations, random_state=0)
        on_cuda = batch_bald(log_p.cuda(), 6, n_configurations=n_configurations, random_state=0)
        np.testing.assert_array_equal(on_cuda.indices, on_cpu.indices)
        np.testing.assert_allclose(on_cuda.gains, on_cpu.gains, rtol=1e-9)


HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(("C", "n"), [(2, 5), (5, 5), (300, 2)])
def test_halves_are_computed_with_in_single_precision(dtype, C, n):
    log_p = torch.as_tensor(problem(60, 6, C)).to(dtype)
    assert_same_picks(batch_bald(log_p, n), batch_bald(log_p.double().log_softmax(2), n))


def assert_same_picks(found, expected):
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-4, atol=1e-5)


def test_a_little_more_information_wins_in_float16():
    a, b, c, d = [0.9, 0.1], [0.1, 0.9], [0.87, 0.13], [0.13, 0.87]
    log_p = np.log([[c, d, c, d], [a, b, a, b]]).astype(np.float16)
    assert batch_bald(log_p, 1).indices.tolist() == [1]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_predictive_information_of_halves(dtype):
    log_p = torch.as_tensor(problem(9, 4, 3)).to(dtype)
    found = predictive_information(log_p, log_p[:4])
    exact = log_p.double().log_softmax(2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, predictive_information(exact, exact[:4]), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_halves_whose_sums_are_not_1(dtype):
    log_p = torch.as_tensor(problem(9, 4, 3)).to(dtype) + 0.05
    with pytest.raises(ValueError, match=r"'log_probs' .* Pass what log_softmax returns."):
        batch_bald(log_p, 2)
