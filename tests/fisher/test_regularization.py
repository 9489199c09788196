"""λ that follows the scale of the information."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.fisher import greedy_fisher, greedy_fisher_in_blocks, last_layer_factors
from tests.fisher.test_blocks import problem
from tests.fisher.test_greedy_fisher import factors_of
from tests.oracles import information, published_greedy

POOL, LABELLED = np.arange(5, 75), np.array([0, 2, 77])


@pytest.mark.parametrize("weighted", [False, True])
def test_auto_is_the_mean_eigenvalue(weighted):
    factors = factors_of("random", torch.float64, N=80)
    V = factors.dense().numpy()
    weights = np.random.default_rng(0).random(80) if weighted else None
    I_T, _, _ = information(V, POOL, LABELLED, 12, 1.0, weights)
    value = np.linalg.eigvalsh(I_T).mean()
    given = {"labelled": LABELLED, "weights": weights}
    expected = published_greedy(V, 12, POOL, LABELLED, value, weights=weights)
    found = greedy_fisher(factors, 12, candidates=POOL, regularization="auto", **given)
    np.testing.assert_array_equal(found, expected)
    by_value = greedy_fisher(factors, 12, candidates=POOL, regularization=value, **given)
    np.testing.assert_allclose(found.gains, by_value.gains, rtol=1e-9)

    def some(at):
        return factors.take(torch.as_tensor(at))

    for components in (None, 6):  # of all directions, also where few are left
        by_name, by_value = (
            greedy_fisher_in_blocks(
                some, POOL, 12, components=components, regularization=one, **given
            )
            for one in ("auto", value)
        )
        np.testing.assert_array_equal(by_name, by_value)
        np.testing.assert_allclose(by_name.gains, by_value.gains, rtol=1e-9)
    few = greedy_fisher(factors, 12, candidates=POOL, components=6, regularization="auto", **given)
    np.testing.assert_array_equal(few, by_value)


@pytest.mark.parametrize("curvature", ["full", "blocks", "binary"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_factors_makes_no_difference(curvature, scale):
    f, h = problem("random")
    picks = [
        greedy_fisher(
            last_layer_factors(f, one, bias=False, curvature=curvature),
            12,
            labelled=LABELLED,
            regularization="auto",
        )
        for one in (h, scale * h)
    ]
    np.testing.assert_array_equal(*picks)
    np.testing.assert_allclose(picks[0].gains, picks[1].gains, rtol=1e-7)


def test_factors_of_zero():
    found = greedy_fisher(np.zeros((30, 2, 3)), 12, regularization="auto")
    np.testing.assert_array_equal(found, np.arange(12))


@pytest.mark.parametrize("bad", ["Auto", 0, -1.0, None, float("inf")])
def test_messages(bad):
    with pytest.raises(ValueError, match="'regularization' parameter of greedy_fisher must"):
        greedy_fisher(np.ones((5, 2, 2)), 1, regularization=bad)
    with pytest.raises(ValueError, match="'regularization' parameter of greedy_fisher_in_blocks"):
        greedy_fisher_in_blocks(lambda at: None, np.arange(5), 1, regularization=bad)
