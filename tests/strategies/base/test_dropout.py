"""Draws by dropout: every draw is one network, the same for all samples, and nothing else moves."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skorch import NeuralNetClassifier
from torch import nn

from skactive import BALD
from skactive._scoring import scoring
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._dropout import DropoutNetwork

SEED = np.random.SeedSequence(0)


def draw(module, X, seed=SEED, sample=None):
    with scoring(module), torch.inference_mode():
        network = DropoutNetwork(module, X[:1] if sample is None else sample, "Mine")
        return network.run(X.clone(), seed)


class Function(nn.Module):
    """Dropout called as a function, switched by the mode of the network as usual."""

    def __init__(self, function=F.dropout, p=0.5):
        super().__init__()
        self.function, self.p = function, p

    def forward(self, x):
        return self.function(x, self.p, self.training)


def alpha_values(x, p):
    """What alpha dropout makes of kept and of dropped values: Klambauer et al., 2017, section 3."""
    dropped, keep = -1.0507009873554805 * 1.6732632423543772, 1 - p
    a = (keep + dropped**2 * keep * p) ** -0.5
    b = -a * dropped * p
    return a * x + b, a * dropped + b


LAYERS = {
    "Dropout": (nn.Dropout, 4),
    "Dropout in place": (lambda p: nn.Dropout(p, inplace=True), 4),
    "Dropout1d": (nn.Dropout1d, 3),
    "Dropout2d": (nn.Dropout2d, 4),
    "Dropout3d": (nn.Dropout3d, 5),
    "AlphaDropout": (nn.AlphaDropout, 4),
    "FeatureAlphaDropout": (nn.FeatureAlphaDropout, 4),
    "F.dropout": (lambda p: Function(F.dropout, p), 4),
    "F.dropout2d": (lambda p: Function(F.dropout2d, p), 4),
}


@pytest.mark.parametrize("name", LAYERS)
def test_one_mask_for_all_samples_of_all_batches(name):
    make, ndim = LAYERS[name]
    X = torch.randn(6, 40, *[3] * (ndim - 2), dtype=torch.float64)
    module = make(0.3).eval()
    out = draw(module, X)
    if "Alpha" in name:
        kept, dropped = alpha_values(X, 0.3)
    else:
        kept, dropped = X / 0.7, torch.zeros_like(X)
    mask = torch.isclose(out, kept, rtol=1e-10)
    assert bool((mask | torch.isclose(out, torch.as_tensor(dropped).to(X), atol=1e-10)).all())
    assert bool((mask == mask[:1]).all())  # the same for every sample
    by_channel = "1d" in name or "2d" in name or "3d" in name or "Feature" in name
    channels = mask[0].flatten(1)
    assert bool((channels == channels[:, :1]).all()) == by_channel
    halves = [draw(module, part, sample=X[:1]) for part in (X[:4], X[4:])]
    torch.testing.assert_close(torch.cat(halves), out, rtol=0, atol=0)
    assert not torch.equal(draw(module, X, np.random.SeedSequence(1)), out)
    assert not module.training
    assert torch.equal(module(X.clone()), X)


@pytest.mark.parametrize("name", ["Dropout", "Dropout2d", "AlphaDropout"])
def test_the_rate_is_the_layers(name):
    make, _ = LAYERS[name]
    module, X = make(0.2).eval(), torch.full((1, 500, 1, 1), 7.0)
    seeds = [np.random.SeedSequence(s) for s in range(20)]
    kept = 7.0 / 0.8 if name != "AlphaDropout" else alpha_values(torch.tensor(7.0), 0.2)[0].item()
    share = np.mean(
        [float(torch.isclose(draw(module, X, s), torch.tensor(kept)).float().mean()) for s in seeds]
    )
    assert abs(share - 0.8) < 5 * (0.16 / 10_000) ** 0.5


def test_every_draw_is_one_of_the_networks_that_the_masks_make():
    """Three hidden units and p = ½: eight networks, known exactly, and equally likely."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 3)).double()
    X = torch.randn(9, 4, dtype=torch.float64)
    with torch.no_grad():
        hidden = net[1](net[0](X))
        networks = [
            net[3](hidden * 2 * torch.tensor(mask, dtype=torch.float64))
            for mask in itertools.product([0, 1], repeat=3)
        ]
    counts = np.zeros(8)
    for s in range(800):
        out = draw(net, X, np.random.SeedSequence(s))
        same = [bool(torch.allclose(out, one, rtol=1e-12)) for one in networks]
        assert sum(same) == 1
        counts += same
    assert (np.abs(counts - 100) < 5 * (800 / 8 * 7 / 8) ** 0.5).all()


def test_two_calls_of_one_shape_have_masks_of_their_own():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            return torch.cat([self.drop(x), self.drop(x)], 1)

    first, second = draw(Twice(), torch.ones(2, 50)).chunk(2, 1)
    assert not torch.equal(first, second)


def test_only_dropout_is_switched_on():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(6)
            self.norm.running_mean.normal_()
            self.drop = nn.Dropout(0.5)
            self.noise = 0

        def forward(self, x):
            self.noise += self.training
            return self.drop(self.norm(x))

    net = Net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    X = torch.randn(5, 6)
    out = draw(net, X)
    expected = 2 * net.eval()(X)
    assert bool((torch.isclose(out, expected) | (out == 0)).all())
    assert bool(torch.isclose(out, expected).any())
    assert net.noise == 0
    for key, value in before.items():
        assert torch.equal(net.state_dict()[key], value)


@pytest.mark.parametrize("batch_first", [True, False])
def test_transformers_with_the_samples_first_or_second(batch_first):
    """Attention's own dropout stays off, and torch's fused inference path, which has none, too."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(
                8, 2, 16, dropout=0.5, batch_first=batch_first, dtype=torch.float64
            )

        def forward(self, x):
            x = x if batch_first else x.transpose(0, 1)
            x = self.layer(x)
            return x.mean(1 if batch_first else 0)

    torch.manual_seed(0)
    net, X = Tokens(), torch.randn(5, 3, 8, dtype=torch.float64)
    out = draw(net, X)
    alone = torch.cat([draw(net, X[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(out, alone)
    twin = torch.cat([X[:1], X[:1]])
    torch.testing.assert_close(*draw(net, twin).chunk(2))
    assert not torch.allclose(out, net.eval()(X), rtol=0.1)


def skorch_net(*layers):
    return NeuralNetClassifier(
        nn.Sequential(*layers), criterion=nn.CrossEntropyLoss, classes=[0, 1, 2], train_split=None
    ).initialize()


class AttentionOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)

    def forward(self, x):
        x = x[:, None]
        return self.attention(x, x, x)[0][:, 0]


@pytest.mark.parametrize(
    "layers",
    [[nn.Linear(4, 3)], [nn.Dropout(0.0), nn.Linear(4, 3)], [AttentionOnly(), nn.Linear(4, 3)]],
    ids=["none", "p = 0", "inside attention"],
)
def test_a_network_without_dropout(layers):
    X = np.ones((5, 4), dtype=np.float32)
    match = (
        "BALD compares predictions under dropout, and the network calls no dropout with p above 0. "
        "Add nn.Dropout layers .* a Committee, or a list of fitted estimators to select"
    )
    with pytest.raises(UnsupportedEstimatorError, match=match):
        BALD().select(skorch_net(*layers), X, 2)


class Folded(nn.Module):
    """Tokens folded into the first axis, where masks of one sample do not fit."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        n, tokens, width = x.shape
        return self.drop(x.reshape(n * tokens, width)).view(n, tokens, width).mean(1)


class Varying(nn.Module):
    """Calls dropout once more when there are several samples."""

    def forward(self, x):
        x = F.dropout(x, 0.5, self.training)
        return F.dropout(x, 0.5, self.training) if len(x) > 1 else x


def test_masks_that_do_not_fit():
    match = r"number 1 meets \(3, 4\) for one sample and \(15, 4\) for 5. Keep the samples on an"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        draw(Folded(), torch.ones(5, 3, 4))
    match = r"Mine gives .* number 2 meets no such call for one sample and \(5, 4\) for 5"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        draw(Varying(), torch.ones(5, 4))


@pytest.mark.cuda
@pytest.mark.parametrize("name", LAYERS)
def test_the_same_masks_on_cuda(name):
    make, ndim = LAYERS[name]
    X = torch.randn(6, 40, *[3] * (ndim - 2))
    module = make(0.3)
    torch.testing.assert_close(draw(module, X.cuda()).cpu(), draw(module, X))
