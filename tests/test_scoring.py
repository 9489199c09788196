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
