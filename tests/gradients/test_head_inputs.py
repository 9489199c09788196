"""Embeddings and logits of a pool: the gradient of the head is their outer product."""

import numpy as np
import pytest
import torch
from torch import nn

from skactive.gradients import head_inputs
from tests import oracles
from tests.cases import Apply


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().double()


def body():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))


HEADS = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
    "no bias": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3, bias=False)),
    "dropout before, a constant after": lambda: Apply(
        lambda m, x: m.fc(m.drop(x.flatten(1))).log_softmax(1),
        drop=nn.Dropout(),
        fc=nn.Linear(64, 3),
    ),
    "one token": lambda: Apply(lambda m, x: m.fc(x.flatten(1)[:, None])[:, 0], fc=nn.Linear(64, 3)),
    "by keyword": lambda: Apply(lambda m, x: m.fc(input=x.flatten(1)), fc=nn.Linear(64, 3)),
    "overwritten": lambda: Apply(lambda m, x: after(m.fc, x.flatten(1)), fc=nn.Linear(64, 3)),
    "tuple": lambda: Apply(lambda m, x: (m.fc(x.flatten(1)), x), fc=nn.Linear(64, 3)),
    "convolution": lambda: nn.Sequential(nn.Conv2d(4, 3, 4), nn.Flatten()),
    "padded": lambda: nn.Sequential(
        nn.Conv2d(4, 3, (2, 3), stride=9, padding=1, dilation=(2, 1), padding_mode="reflect"),
        nn.Flatten(),
    ),
    "same": lambda: nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 3, 3, padding="same"), nn.Flatten()
    ),
    "in one axis": lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 3, 16), nn.Flatten()),
}


def after(layer, x):
    out = layer(x)
    x.zero_()
    return out


@pytest.mark.parametrize("name", HEADS)
def test_the_gradient_of_the_head_is_their_outer_product(name):
    net = seeded(lambda: nn.Sequential(body(), HEADS[name]()))
    X = torch.randn(7, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = head_inputs(net, X, batch_size=3)
    net.eval()
    with torch.no_grad():
        out = net(X.clone())
    logits = out[0] if isinstance(out, tuple) else out
    torch.testing.assert_close(found.logits, logits)
    made = found.inputs @ found.weight.T  # the logits, up to the bias and a constant per sample
    np.testing.assert_allclose(*(to_constants(z) for z in (made, logits)), atol=1e-12)
    left = oracles.class_rows(logits[0], "uniform")
    h = found.inputs[0]
    gradient = left[:, :, None] * h  # (e_c − p) ⊗ h
    for parameter in net[0].parameters():
        parameter.requires_grad_(False)
    if name == "overwritten":  # autograd cannot follow what was captured and zeroed
        net[1].forward = lambda x: net[1].fc(x.flatten(1))
    naive = oracles.naive_rows(net, X[:1])[0] / logits[0].softmax(0).sqrt()[:, None]
    n_weights = 3 * len(h)
    torch.testing.assert_close(naive[:, :n_weights], gradient.flatten(1))
    assert naive.shape[1] == n_weights + 3 * found.bias


def to_constants(z):
    z = z - z.mean(0)
    return z - z.mean(1, keepdim=True)


def test_a_head_of_groups_is_refused():
    net = nn.Sequential(nn.Conv2d(4, 2, 2, groups=2), nn.Flatten())
    with pytest.raises(ValueError, match="or of a plain convolution. Got .*groups=2.* nn.Linear"):
        head_inputs(net, torch.zeros(3, 4, 2, 2))
    net = nn.Sequential(nn.ConvTranspose2d(4, 2, 1), nn.Flatten())
    with pytest.raises(ValueError, match="or of a plain convolution. Got .*ConvTranspose2d"):
        head_inputs(net, torch.zeros(3, 4, 1, 1))


def test_half_precision_is_scored_in_float32_and_left_alone():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).bfloat16()
    net[2].train()
    found = head_inputs(torch.compile(net), np.ones((4, 4), dtype=np.float32))
    assert found.inputs.dtype == found.logits.dtype == found.weight.dtype == torch.float32
    assert net[2].weight.dtype == torch.bfloat16
    assert net[2].training
    assert not net[2]._forward_pre_hooks


def test_a_network_that_mixes_samples_and_one_that_diverged():
    mixing = Apply(lambda m, x: m.fc(x - x.mean(0)), fc=nn.Linear(4, 3))
    with pytest.raises(ValueError, match="logits change with the batch"):
        head_inputs(mixing, torch.randn(6, 4))
    diverged = nn.Linear(4, 3)
    X = torch.zeros(6, 4)
    X[5] = torch.inf
    with pytest.raises(ValueError, match="for which the network's logits are finite"):
        head_inputs(diverged, X, batch_size=2)
    assert not diverged._forward_pre_hooks
    with pytest.raises(ValueError, match="at least one sample"):
        head_inputs(diverged, X[:0])
    with pytest.raises(ValueError, match="'batch_size' parameter of head_inputs"):
        head_inputs(diverged, X, batch_size=0)


@pytest.mark.parametrize("batch_size", [2, 9])
@pytest.mark.parametrize("bound", [lambda x: x.clamp(-5, 5), lambda x: x.clamp_(-5, 5)])
def test_a_head_that_is_changed_for_some_samples_is_none(bound, batch_size):
    """As it is for the first sample alone, what follows the layer does nothing."""
    net = seeded(lambda: Apply(lambda m, x: bound(m.fc(x)), fc=nn.Linear(4, 3)))
    X = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert head_inputs(net, X, batch_size=batch_size).logits.abs().max() < 5
    X[6] *= 100
    with pytest.raises(ValueError, match="of head_inputs must be a network whose logits are the o"):
        head_inputs(net, X, batch_size=batch_size)
    assert not net.fc._forward_hooks
    assert not net.fc._forward_pre_hooks
