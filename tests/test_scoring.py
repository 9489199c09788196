"""Generators and networks are left as they were."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from skactive._generators import isolated_rng
from skactive._scoring import scoring


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("seed", [5, 2**40])
def test_isolated_rng(fails, seed):
    before = states()
    try:
        with isolated_rng(seed):
            draws = random.random(), np.random.rand(), float(torch.rand(1))
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert states() == before
    with isolated_rng(seed):
        again = random.random(), np.random.rand(), float(torch.rand(1))
    assert again == draws


@pytest.mark.parametrize("fails", [False, True])
def test_scoring_restores_everything(fails):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.layers = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
            self.layers[2].eval()
            self.layers[0].bias.requires_grad_(False)
            self.layers[0].weight.grad = torch.ones(2, 2)

        def forward(self, x):
            self.calls += 1
            return self.layers(x)

    net = Counting()
    grad = net.layers[0].weight.grad
    try:
        with scoring(net):
            assert not any(m.training for m in net.modules())
            assert net.layers[0].weight.grad is None
            net(torch.ones(3, 2)).sum().backward()
            net.layers[0].bias.requires_grad_(True)
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert [m.training for m in net.modules()] == [True, True, True, True, False]
    assert net.layers[0].weight.grad is grad
    assert torch.equal(grad, torch.ones(2, 2))
    assert net.layers[2].weight.grad is None
    assert not net.layers[0].bias.requires_grad
    assert net.calls == 0


class Keeps(nn.Module):
    """Keeps what it computes, in attributes of all kinds."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.known, self.calls, self.one, self.gone = None, 0, torch.zeros(2), torch.ones(2)
        self.several, self.named = [], {}

    def forward(self, x):
        self.known = self.new = self.norm(self.layer(x))
        self.one = self.layer.kept = x.sum()
        self.several, self.named = [x, self.new], {"x": x}
        if hasattr(self, "gone"):
            del self.gone
        self.calls += 1
        return self.new


@pytest.mark.parametrize("fails", [False, True])
def test_tensors_that_forward_keeps_are_put_back(fails):
    net = Keeps()
    one, gone, several, named = net.one, net.gone, net.several, net.named
    try:
        with scoring(net):
            net(torch.ones(3, 4))
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert net.known is None
    assert not hasattr(net, "new")
    assert not hasattr(net.layer, "kept")
    assert (net.one is one, net.gone is gone) == (True, True)
    assert (net.several is several, net.named is named) == (True, True)
    assert net.calls == 1  # no tensor
