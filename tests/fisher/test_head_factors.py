"""The last layer's factors by one forward pass, against those by backward passes."""

import numpy as np
import pytest
import torch
from torch import nn

from skactive.fisher import (
    KroneckerFactors,
    fisher_factors,
    greedy_fisher,
    head_factors,
    last_layer_factors,
)
from tests.oracles import naive_rows, published_greedy


@pytest.mark.parametrize("bias", [True, False])
def test_the_numbers_are_those_of_the_gradients(bias):
    torch.manual_seed(0)
    head = nn.Linear(5, 3, bias=bias)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), head).double()
    X = torch.randn(7, 4, dtype=torch.float64)
    factors = head_factors(net, X, batch_size=3)
    assert isinstance(factors, KroneckerFactors)
    P, last = sum(p.numel() for p in net.parameters()), sum(p.numel() for p in head.parameters())
    V = naive_rows(net, X)[:, :, P - last :]
    order = torch.arange(15).view(3, 5)
    if bias:  # flat: all weights, then all biases; here each output's weights, then its bias
        order = torch.cat([order, torch.arange(15, 18)[:, None]], 1)
    V, R = V[:, :, order.flatten()], factors.dense()
    torch.testing.assert_close(R.mT @ R, V.mT @ V)
    by_mask = fisher_factors(net, X, torch.arange(P - last, P), weighting="reduced").dense()
    torch.testing.assert_close(factors.dense(), by_mask[:, :, order.flatten()])


def test_no_gradients_are_computed(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a backward pass")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    assert head_factors(net, torch.ones(2, 4)).shape == (2, 2, 18)
    assert not head_factors(net, torch.ones(2, 4)).left.requires_grad


@pytest.mark.parametrize("C", [2, 3])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
def test_picks_by_reduced_rows_are_those_by_all(C, oversample):
    torch.manual_seed(C)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, C)).double()
    X = 3 * torch.randn(60, 4, dtype=torch.float64)
    P = sum(p.numel() for p in net.parameters())
    V = fisher_factors(net, X, torch.arange(P - 6 * C, P)).dense().numpy()
    expected = published_greedy(
        V, 12, np.arange(5, 60), np.arange(5), oversample_to=int(12 * oversample)
    )
    picks = greedy_fisher(head_factors(net, X), 12, labelled=np.arange(5), oversample=oversample)
    np.testing.assert_array_equal(picks, expected)


@pytest.mark.parametrize("bias", [True, False])
def test_factors_from_stored_embeddings(bias):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3, bias=bias)).double()
    X = torch.randn(6, 4, dtype=torch.float64)
    with torch.no_grad():
        logits, h = net(X).numpy(), net[:2](X).numpy()
    found = last_layer_factors(logits, h, bias=bias)
    torch.testing.assert_close(found.dense(), head_factors(net, X).dense())


@pytest.mark.parametrize(
    ("logits", "inputs", "message"),
    [
        (np.ones(3), np.ones((3, 2)), r"'logits'.*finite floats of shape \(N, C\)"),
        (np.ones((3, 1)), np.ones((3, 2)), "'logits'.*two classes or more"),
        (np.ones((3, 2), dtype=int), np.ones((3, 2)), "'logits'.*floats"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), r"'inputs'.*finite floats of shape \(3, D\)"),
        (np.ones((3, 2)), np.ones((4, 2)), "'inputs'.*one row per row of logits, 3"),
    ],
)
def test_messages_for_stored_embeddings(logits, inputs, message):
    with pytest.raises(ValueError, match=message):
        last_layer_factors(logits, inputs)
