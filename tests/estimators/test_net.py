"""Training inside a CNNClassifier: the steps of a plain loop, and what callbacks see of them."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from benchmarks._plain_loop import Recipe, standardised, train
from skactive import CNNClassifier, LPLClassifier
from skactive.estimators import RecordAccuracy


def make(**params):
    return CNNClassifier(**{"max_epochs": 3, "random_state": 0, "device": "cpu", **params})


def orders(clf, n):
    """The order of the samples in each epoch of a fit."""
    for epoch in range(clf.max_epochs):
        generator = torch.Generator().manual_seed(clf.net_.order_seed + epoch)
        yield torch.randperm(n, generator=generator)


# -- the plain loop ---------------------------------------------------------------


def test_rows_are_trained_as_by_a_plain_loop():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(70, 6)), rng.integers(3, size=70)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    clf = make(module=net, normalize=None, weight_decay=0.01).fit(X, y)
    recipe = Recipe(3, weight_decay=0.01)
    train(net, torch.from_numpy(X), torch.from_numpy(y), recipe, orders(clf, 70))
    for ours, plain in zip(clf.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("module", ["small_cnn", "resnet18_narrow"])
def test_images_are_trained_as_by_a_plain_loop(data, module):
    X, y = data
    clf = make(module=module, lr=1e-12, max_epochs=1).fit(X, y)
    net = pickle.loads(pickle.dumps(clf.module_.network))
    clf = make(module=net, max_epochs=1, batch_size=30).fit(X, y)
    images = torch.from_numpy(X)[:, None]
    recipe = Recipe(1, batch_size=30)
    train(net, standardised(images, recipe), torch.from_numpy(y), recipe, orders(clf, len(X)))
    for ours, plain in zip(clf.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5)
