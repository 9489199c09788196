"""The values that the papers' own code computes, from the pure pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skactive.fisher import diagonal_fisher, fisher_factors, greedy_fisher, parameter_mask
from skactive.fisher._dense import DenseFactors


def load() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden" / "golden_fishermask_small.npz") as file:
        return dict(file)


def golden_network() -> tuple[nn.Module, np.ndarray]:
    """Return the network of all golden values, and the images."""
    golden = load()
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4, bias=False),
    )
    state = [torch.as_tensor(golden[key]) for key in sorted(golden) if key.startswith("state/")]
    net.load_state_dict(dict(zip(net.state_dict(), state, strict=True)))
    return net.eval(), golden["X"]


@pytest.fixture(scope="module")
def golden():
    return load()


@pytest.fixture(scope="module")
def network():
    return golden_network()[0]


def test_the_network_is_the_one(golden, network):
    with torch.no_grad():
        np.testing.assert_allclose(
            network(torch.as_tensor(golden["X"])), golden["logits"], rtol=1e-5, atol=1e-6
        )


def test_masks(golden, network):
    diagonal = diagonal_fisher(network, golden["X"])
    standard = parameter_mask(diagonal, network, fraction=0.25)
    np.testing.assert_array_equal(standard, golden["mask_standard"])
    dispersed = parameter_mask(diagonal, network, kind="layerwise", fraction=0.05)
    np.testing.assert_array_equal(dispersed, golden["mask_dispersed"])


def test_masked_gradients(golden, network):
    factors = fisher_factors(network, golden["X"], golden["mask_standard"], weighting="uniform")
    expected = golden["masked_log_prob_grads"]
    np.testing.assert_allclose(
        factors.dense(), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    ("weighting", "key"),
    [("uniform", "fishermask_picks_uniform"), ("probability", "fishermask_picks_expected")],
)
@pytest.mark.parametrize("kept_as", ["structured", "dense", "array"])
def test_fishermask_picks(golden, network, weighting, key, kept_as):
    factors = fisher_factors(network, golden["X"], golden["mask_standard"], weighting=weighting)
    if kept_as == "dense":
        factors = DenseFactors(factors.dense())
    elif kept_as == "array":
        factors = factors.dense().numpy()
    labelled = np.flatnonzero(golden["labelled"])
    np.testing.assert_array_equal(greedy_fisher(factors, 6, labelled=labelled), golden[key])


def test_bait_rows_and_picks(golden, network):
    last_layer = np.arange(380 - 32, 380)
    factors = fisher_factors(network, golden["X"], last_layer)
    rows = golden["bait_embedding"]
    np.testing.assert_allclose(factors.dense(), rows, rtol=1e-4, atol=1e-5 * np.abs(rows).max())
    labelled = np.flatnonzero(golden["labelled"])
    for given in (factors, rows):
        picks = greedy_fisher(given, 6, labelled=labelled)
        np.testing.assert_array_equal(picks, golden["bait_picks"])
