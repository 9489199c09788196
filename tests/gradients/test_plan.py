"""Which path a parameter takes, where its own gradient says little."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skactive.gradients import _gradient_norms, _plan, gradient_norms, head_inputs
from skactive.gradients._tape import Tape
from tests.cases import Apply
from tests.gradients.spies import Spy
from tests.oracles import naive_norms


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch, _gradient_norms)


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().double()


def samples(*shape):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, generator=draw)


def normalised(norm):
    """Convolutions, whose biases a normalisation takes away again."""
    layers = []
    for width in (3, 8, 8):
        layers += [nn.Conv2d(width, 8, 3, padding=1), norm(), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("size", [4, 24])
@pytest.mark.parametrize(
    "norm", [lambda: nn.InstanceNorm2d(8), lambda: nn.GroupNorm(8, 8, affine=False)]
)
def test_gradients_that_are_rounding_errors_take_the_fast_path(norm, size, scale, dtype, spy):
    net, X = seeded(lambda: normalised(norm)).to(dtype), samples(20, 3, size, size).to(dtype)
    with torch.no_grad():
        net[-1].weight *= scale
    got = gradient_norms(net, X)
    assert set(spy.paths.values()) == {"fast"}
    expected = naive_norms(net.double(), X.double(), "entropy", "layer_sum")
    rtol = 1e-9 if dtype == torch.float64 else 1e-3
    torch.testing.assert_close(got.double(), expected, rtol=rtol, atol=rtol * 1e-3)


@pytest.mark.parametrize("share", [1e-4, 1e-7, 1e-10])
def test_small_gradients_that_are_wrong_do_not_pass(share, spy):
    """A layer that has its samples on another axis, far below the largest gradient."""
    net = seeded(
        lambda: Apply(
            lambda m, x: m.head(x.mean(1) + share * m.each(x.transpose(0, 1)).tanh()[2]),
            each=nn.Linear(4, 4),
            head=nn.Linear(4, 3),
        )
    )
    X = samples(5, 5, 4)
    got = gradient_norms(net, X, batch_size=3)
    assert {spy.paths["each.weight"], spy.paths["each.bias"]}.isdisjoint({"fast"})
    torch.testing.assert_close(got, naive_norms(net, X, "entropy", "layer_sum"))


def test_what_passes_as_rounding_is_less_than_it(spy, monkeypatch):
    """Wrong values at the end of a network whose largest gradient is far larger."""
    net = seeded(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)))
    with torch.no_grad():
        net[2].weight *= 1e-3  # and so the first layer's gradients
    X, take = samples(6, 4), Tape._take
    by = 0.0

    def wrong(self, layer, delta):
        take(self, layer, delta + by if layer is net[0] else delta)

    monkeypatch.setattr(Tape, "_take", wrong)
    for by, path in ((1e-15, "fast"), (1e-9, "func")):
        gradient_norms(net, X)
        assert spy.paths["0.bias"] == path, by


class Single(nn.Module):
    """Computes in float32 whatever it is given, as some normalisations do."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))
        self.mix = nn.Linear(64, 64)

    def forward(self, x):
        y = nn.functional.linear(x.float(), self.mix.weight.float(), self.mix.bias.float())
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * y.type_as(x)


def test_a_part_in_float32_of_a_network_in_float64(spy):
    net = seeded(
        lambda: nn.Sequential(nn.Linear(40, 64), Single(), nn.Linear(64, 64), nn.Linear(64, 3))
    )
    X = samples(300, 40)
    got = gradient_norms(net, X)
    assert got.dtype == torch.float64
    fast = {name for name, path in spy.paths.items() if path == "fast"}
    assert fast >= {"0.weight", "0.bias", "2.weight", "3.weight"}
    expected = naive_norms(net, X, "entropy", "layer_sum")
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(head_inputs(net, X).logits, net(X), rtol=1e-4, atol=1e-6)


class Mixes(Single):
    def forward(self, x):
        return super().forward(x - x.mean(0))


@pytest.mark.parametrize("score", [gradient_norms, head_inputs])
def test_a_part_in_float32_may_not_mix_samples(score):
    net = seeded(lambda: nn.Sequential(nn.Linear(40, 64), Mixes(), nn.Linear(64, 3)))
    with pytest.raises(ValueError, match="'module'.*each sample by itself.*change with the batch"):
        score(net, samples(9, 40))


def test_a_head_that_records_no_gradients():
    """All gradients are zeros, those of the layer that makes the logits, too."""

    def forward(m, x):
        h = m.body(x).tanh()
        with torch.no_grad():
            return m.head(h)

    net = seeded(lambda: Apply(forward, body=nn.Linear(4, 5), head=nn.Linear(5, 3)))
    assert not gradient_norms(net, samples(6, 4)).any()


def test_tolerances():
    """On CUDA, float32 is compared as TF32 computes it."""

    def network(device, precision):
        return type("Network", (), {"device": torch.device(device), "precision": precision})

    assert _plan._tolerance(network("cuda", torch.float32)) == 1e-2
    assert _plan._tolerance(network("cpu", torch.float32)) < 1e-3
    assert _plan._tolerance(network("cuda", torch.float64)) < 1e-7
