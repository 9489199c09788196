"""FisherMask against the published loop on naive gradients, and its parameters."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from torch import nn

from skactive import CNNClassifier, FisherMask
from skactive.gradients import diagonal_fisher, find_head, parameter_mask
from tests import oracles


@pytest.fixture(scope="module")
def fitted():
    """A small CNN in float64, so that picks can be compared one by one."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 1, 8, 8)), np.arange(60) % 3
    X[np.arange(60), 0, y * 2] += 0.5
    clf = CNNClassifier("small_cnn", module_params={"width": 3}, max_epochs=5, random_state=0)
    clf.set_params(channels="first").fit(X[:12], y[:12])
    clf.module_.double()
    return clf, X, y


def tensors(clf, X):
    return torch.as_tensor(X, dtype=torch.float64)


@pytest.mark.parametrize("weighting", ["probability", "uniform"])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_picks_are_those_of_the_published_loop(fitted, weighting, oversample, labelled):
    clf, X, _ = fitted
    pool, module = X[12:], clf.module_
    strategy = FisherMask(
        0.5, weighting=weighting, oversample=oversample, regularization=0.3, random_state=0
    )
    found = strategy.select(clf, pool, 6, X_labelled=X[:12] if labelled else None, y_labelled=None)

    diagonal = oracles.naive_diagonal(module, tensors(clf, pool))  # 1024 > 48: the whole pool
    P, head = len(diagonal), module.network.fc
    n_last = sum(p.numel() for p in head.parameters())
    k = int(0.5 * P)
    body = diagonal[: P - n_last]
    mask = np.sort(np.argsort(-body.numpy(), kind="stable")[: k - n_last])
    mask = np.concatenate([mask, np.arange(P - n_last, P)])
    both = np.concatenate([pool, X[:12]]) if labelled else pool
    V = oracles.naive_rows(module, tensors(clf, both), weighting)[:, :, mask].numpy()
    expected = oracles.published_greedy(
        V, 6, np.arange(48), np.arange(48, len(both)), 0.3, int(6 * oversample)
    )
    assert found.indices.tolist() == expected
    assert found.utilities is None
    if oversample == 1:
        assert (np.diff(found.gains) <= 1e-12).all()  # greedy: each pick adds less than the last


def test_subset_bounds_what_is_considered(fitted):
    clf, X, _ = fitted
    pool = np.repeat(X[12:13], 40, axis=0)
    pool[:20] = X[12:32]
    picks = [
        FisherMask(subset=10, random_state=seed).select(clf, pool, 10).indices for seed in (0, 0, 1)
    ]
    assert picks[0].tolist() == picks[1].tolist()
    assert set(picks[0]) != set(picks[2])
    with pytest.raises(ValueError, match="from 1 to 10 \\(the size of subset\\). Got 11 .* raise"):
        FisherMask(subset=10).select(clf, pool, 11)


def test_first_samples_and_random_masks(fitted, monkeypatch):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    seen = []
    monkeypatch.setattr(
        _fisher_mask, "diagonal_fisher",
        lambda module, X, **kwargs: seen.append(X.positions) or diagonal_fisher(
            module, X, **kwargs),
    )  # fmt: skip
    FisherMask(n_samples=7, diagonal_samples="first").select(clf, X, 2)
    FisherMask(n_samples=7, random_state=0).select(clf, X, 2)
    assert seen[0].tolist() == list(range(7))
    assert len(set(seen[1].tolist())) == 7
    assert seen[1].max() > 7
    masks = []
    monkeypatch.setattr(
        _fisher_mask, "parameter_mask",
        lambda *args, **kwargs: masks.append(parameter_mask(*args, **kwargs)) or masks[-1],
    )  # fmt: skip
    for seed in (0, 0, 1):
        FisherMask(0.1, mask="random", random_state=seed).select(clf, X, 2)
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_the_head_is_found_by_running_the_network():
    class Headfirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 3)
            self.body = nn.Linear(4, 5)

        def forward(self, x):
            return self.fc(torch.relu(self.body(x)))

    assert find_head(Headfirst(), torch.zeros(1, 4)) == "fc"
    conv = nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten())
    assert find_head(conv, torch.zeros(1, 1, 4, 4)) == "0"
    with pytest.raises(ValueError, match="logits are the output of a linear or convolutional"):
        find_head(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), 9 * torch.ones(1, 4))
    net = NeuralNetClassifier(
        Headfirst, criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=1, verbose=0
    )
    X = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    net.fit(X, np.arange(20) % 3)
    assert FisherMask(random_state=0).select(net, X, 4).indices.shape == (4,)


def test_reference_is_the_published_setting():
    strategy = FisherMask.reference(random_state=3)
    changed = {k: v for k, v in strategy.get_params().items() if v != FisherMask().get_params()[k]}
    assert changed == {
        "fraction": 0.002, "weighting": "uniform", "diagonal_samples": "first", "random_state": 3,
    }  # fmt: skip
    assert clone(strategy).get_params() == strategy.get_params()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"fraction": 0}, "'fraction' parameter of FisherMask"),
        ({"mask": "all"}, "'mask' parameter of FisherMask"),
        ({"weighting": "p"}, "'weighting' parameter of FisherMask"),
        ({"oversample": 0.5}, "'oversample' parameter of FisherMask"),
        ({"regularization": 0}, "'regularization' parameter of FisherMask"),
        ({"fraction": 0.01}, "more than the last layer, .* smallest that works is n_parameters="),
        ({"fraction": 0.5, "n_parameters": 20}, "Pass one of the two"),
    ],
)
def test_errors(fitted, params, match):
    clf, X, _ = fitted
    with pytest.raises(ValueError, match=match):
        FisherMask(**params).select(clf, X, 2)


def test_labelled_samples_that_are_not_finite(fitted):
    clf, X, _ = fitted
    labelled = X[:5].copy()
    labelled[3] = np.nan
    with pytest.raises(ValueError, match="Input X_labelled of FisherMask .* first in sample 3"):
        FisherMask().select(clf, X, 2, X_labelled=labelled)


def test_a_random_mask_leaves_the_global_generator(fitted):
    module = fitted[0].module_
    diagonal = torch.zeros(sum(p.numel() for p in module.parameters()))
    before = np.random.get_state()[1].tolist()
    drawn = [parameter_mask(diagonal, module, kind="random", fraction=0.2) for _ in range(2)]
    assert np.random.get_state()[1].tolist() == before
    assert not torch.equal(*drawn)


def test_the_head_of_a_half_precision_network_is_found_for_float_samples():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).bfloat16()
    assert find_head(net, torch.ones(2, 4)) == "2"
    assert net[2].weight.dtype == torch.bfloat16
