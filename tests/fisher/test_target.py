"""What the objective averages over: class shares as weights, and selections by weights."""

import numpy as np
import pytest
import torch

from skactive.exceptions import EmptyClassWarning
from skactive.fisher import greedy_fisher, greedy_fisher_in_blocks, target_weights
from tests.fisher.test_greedy_fisher import PROBLEMS, factors_of
from tests.oracles import published_greedy


def probabilities(N=30, C=4, seed=0):
    logits = 3 * np.random.default_rng(seed).standard_normal((N, C))
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize("shares", ["balanced", [0.1, 0.2, 0.3, 0.4], [3, 0, 0, 1]])
def test_the_weighted_predictions_have_these_shares(shares):
    p = probabilities()
    tau = np.full(4, 0.25) if shares == "balanced" else np.array(shares) / np.sum(shares)
    expected = [sum(tau[c] * p[i, c] / p[:, c].sum() for c in range(4)) for i in range(len(p))]
    np.testing.assert_allclose(target_weights(p, shares), expected, rtol=1e-13)
    assert target_weights(p, shares).sum() == pytest.approx(1, abs=1e-13)
    one_class = np.eye(4)[np.arange(30) % 3 + 1 * (np.arange(30) > 20)]
    with_shares = target_weights(one_class, shares) @ one_class
    np.testing.assert_allclose(with_shares, tau, atol=1e-13)


def test_the_pools_own_shares_weigh_all_alike():
    p = probabilities()
    np.testing.assert_allclose(target_weights(p, p.sum(0)), np.full(30, 1 / 30), rtol=1e-12)


def test_a_class_that_nothing_is_predicted_as_is_left_out():
    p = np.insert(probabilities(C=3), 1, 0, axis=1)
    with pytest.warns(EmptyClassWarning, match="any probability of class 1, counted from 0: left"):
        found = target_weights(p)
    np.testing.assert_allclose(found, target_weights(np.delete(p, 1, axis=1)))
    np.testing.assert_allclose(target_weights(p, [1, 0, 1, 1]), found)  # and no warning
    with pytest.raises(ValueError, match="'shares'.*at least one class that some sample"):
        target_weights(p, [0, 1, 0, 0])


def test_saturated_and_tiny_probabilities():
    p = np.eye(3)[[0, 0, 1, 2]]
    p[0] = [1 - 1e-300, 1e-300, 0]
    np.testing.assert_allclose(target_weights(p), [1 / 6, 1 / 6, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("p", "shares", "message"),
    [
        (np.ones(3), "balanced", r"'probabilities'.*of shape \(N, C\)"),
        (np.full((2, 2), -1.0), "balanced", "'probabilities'.*at least 0"),
        (np.full((2, 2), np.nan), "balanced", "'probabilities'.*finite"),
        (np.ones((2, 2), dtype=int), "balanced", "'probabilities'.*floats"),
        (np.ones((2, 2)), "equal", "'shares'.*'balanced', or 2 finite shares.*'equal'"),
        (np.ones((2, 2)), [1, 2, 3], "'shares'.*2 finite shares"),
        (np.ones((2, 2)), [0, 0], "'shares'.*not all of them 0"),
        (np.ones((2, 2)), [-1, 2], "'shares'.*at least 0"),
    ],
)
def test_messages(p, shares, message):
    with pytest.raises(ValueError, match=message):
        target_weights(p, shares)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("where", ["candidates", "other samples"])
def test_weighted_selections_are_those_of_the_published_loop(problem, oversample, where):
    factors = factors_of(problem, torch.float64, N=70)
    candidates, labelled = np.arange(5, 55), np.array([0, 2, 57])
    weights = np.random.default_rng(0).random(70)
    weights[np.arange(55) if where == "other samples" else np.arange(55, 70)] = 0
    expected = published_greedy(
        factors.dense().numpy(),
        12,
        candidates,
        labelled,
        oversample_to=int(12 * oversample),
        weights=weights,
    )
    given = {"labelled": labelled, "weights": 7 * weights, "oversample": oversample}

    def alike(picks):
        """Of equal samples the plain loop removes any; there are 7 different ones."""
        tied = problem == "duplicated" and oversample > 1
        return sorted(np.asarray(picks) % 7) if tied else list(picks)

    assert alike(greedy_fisher(factors, 12, candidates=candidates, **given)) == alike(expected)

    def some(positions):
        return factors.take(torch.as_tensor(positions))

    in_one = greedy_fisher_in_blocks(some, candidates, 12, **given)
    assert alike(in_one) == alike(expected)
    sizes = []

    def counted(positions):
        sizes.append(len(positions))
        return some(positions)

    in_two = greedy_fisher_in_blocks(
        counted, candidates, 12, block_size=40, random_state=0, **given
    )
    assert max(sizes) <= 40
    assert len(set(in_two.indices)) == 12


def test_weights_of_all_alike_are_none():
    factors = factors_of("random", torch.float64, N=60)
    expected = greedy_fisher(factors, 10, labelled=[1, 2])
    found = greedy_fisher(factors, 10, labelled=[1, 2], weights=np.ones(60))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found.gains, expected.gains)


@pytest.mark.parametrize(
    "weights", [np.ones(4), np.zeros(5), -np.ones(5), [np.inf] * 5, "balanced", np.ones((5, 1))]
)
def test_messages_for_weights(weights):
    message = r"'weights'.*finite numbers of at least 0, not all of them 0, of shape \(5,\)"
    with pytest.raises(ValueError, match=message):
        greedy_fisher(np.ones((5, 2, 2)), 1, weights=weights)
    if np.shape(weights) != (4,):
        with pytest.raises(ValueError, match=r"'weights'.*of shape \(N,\)"):
            greedy_fisher_in_blocks(lambda at: None, np.arange(5), 1, weights=weights)
