"""The ranking loss against its definition and the values of the published code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from skactive.estimators._ranking import count_ordered, ranking_loss, ranking_terms

GOLDEN = Path(__file__).parent.parent / "golden" / "golden_lplgrad_small.npz"


def by_definition(predicted, losses, margin):
    terms = []
    for i in range(len(losses) // 2):
        j = len(losses) - 1 - i
        sign = 1 if losses[i] > losses[j] else -1
        terms.append(max(0.0, margin - sign * (predicted[i] - predicted[j])))
    return terms


@pytest.mark.parametrize("b", range(1, 9))
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
def test_against_the_definition(b, margin):
    rng = np.random.default_rng(b)
    predicted, losses = rng.normal(size=b), rng.integers(0, 3, b).astype(float)  # some are equal
    terms = by_definition(predicted, losses, margin)
    found = ranking_terms(torch.as_tensor(predicted), torch.as_tensor(losses), margin)
    np.testing.assert_allclose(found, terms, rtol=1e-12)
    mean = ranking_loss(torch.as_tensor(predicted), torch.as_tensor(losses), margin)
    assert mean.item() == pytest.approx(np.mean(terms) if terms else 0.0, rel=1e-12)


def test_the_values_of_the_published_code():
    golden = np.load(GOLDEN)
    predicted, losses = (torch.as_tensor(golden[k]) for k in ("pred_loss", "target_loss"))
    pairs = ranking_terms(predicted, losses, 1.0)
    np.testing.assert_allclose(pairs, golden["ranking_loss_pairs"], rtol=1e-6, atol=1e-7)
    mean = ranking_loss(predicted, losses, 1.0)
    np.testing.assert_allclose(mean, golden["ranking_loss_mean"], rtol=1e-6)


def test_equal_losses_count_as_minus_one():
    predicted, losses = torch.tensor([0.25, 0.0]), torch.tensor([3.0, 3.0])
    assert ranking_loss(predicted, losses, 1.0).item() == 1.25  # max(0, 1 + (0.25 − 0))
    assert ranking_loss(predicted.flip(0), losses, 1.0).item() == 0.75


def test_no_gradient_flows_through_the_losses():
    predicted = torch.randn(5, requires_grad=True)
    losses = torch.rand(5, requires_grad=True)
    ranking_loss(predicted, losses, 10.0).backward()
    assert losses.grad is None
    assert predicted.grad[2] == 0  # the middle one is in no pair
    assert (predicted.grad[[0, 1, 3, 4]].abs() == 0.5).all()


def test_a_batch_of_one_has_no_pair():
    predicted = torch.randn(1, requires_grad=True)
    loss = ranking_loss(predicted, torch.rand(1), 1.0)
    loss.backward()
    assert loss.item() == 0
    assert predicted.grad.item() == 0
    assert count_ordered(predicted, torch.rand(1)) == (0, 0)


def test_the_share_of_ordered_pairs_leaves_out_equal_losses():
    losses = torch.tensor([1.0, 2.0, 5.0, 7.0, 9.0, 2.0, 0.0])
    # pairs: 1 > 0, 2 = 2, 5 < 9, and 7 alone
    assert count_ordered(torch.tensor([3.0, 0.0, 1.0, 0.0, 2.0, 9.0, 2.0]), losses) == (2, 2)
    assert count_ordered(torch.tensor([2.0, 0.0, 1.0, 0.0, 2.0, 9.0, 2.0]), losses) == (1, 2)
    assert count_ordered(torch.zeros(2), torch.ones(2)) == (0, 0)
