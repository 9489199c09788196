"""BADGE against gradients by autograd, one sample at a time."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from torch import nn

from skactive import BADGE, CNNClassifier
from skactive.strategies._badge import _residuals

X, Y = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier(max_epochs=3, random_state=0).fit(X[:50], Y[:50])
    clf.module_.double()
    return clf


def gradients(clf, X):
    """The gradient of the loss under the predicted label, for the weight of the last layer."""
    module = clf.module_.eval()
    head = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    rows = []
    for x in torch.as_tensor(X):
        logits = module(x[None])
        loss = nn.functional.cross_entropy(logits, logits.argmax(1))
        rows.append(torch.autograd.grad(loss, head.weight)[0].flatten())
    return torch.stack(rows).numpy()


def test_distances_are_those_of_the_gradients(clf):
    pool = X[50:350]
    g = gradients(clf, pool)
    found = BADGE(batch_size=64, random_state=0).select(clf, pool, 40)
    assert found.utilities is None
    assert found.indices[0] == (g**2).sum(1).argmax()
    for i in range(1, 40):
        nearest = cdist(g, g[found.indices[:i]], "sqeuclidean").min(1)
        assert found.gains[i] == pytest.approx(nearest[found.indices[i]], rel=1e-9)


@pytest.mark.slow
def test_the_second_pick_has_the_probabilities_of_the_squared_distances(clf):
    pool = X[50:58]
    g = gradients(clf, pool)
    first = (g**2).sum(1).argmax()
    p = cdist(g, g[[first]], "sqeuclidean")[:, 0]
    counts = np.zeros(8)
    for seed in range(600):
        counts[BADGE(random_state=seed).select(clf, pool, 2).indices[1]] += 1
    p /= p.sum()
    assert (np.abs(counts - 600 * p) <= 4.5 * np.sqrt(600 * p * (1 - p)) + 1e-9).all()


def test_residuals_keep_their_digits_where_the_network_is_sure():
    logits = torch.tensor([[40.0, 0.0, 1.0], [0.0, 0.0, -80.0]])
    p = torch.softmax(logits.double(), 1)
    expected = p.clone()
    expected[0, 0], expected[1, 0] = -p[0, 1:].sum(), -p[1, 1:].sum()
    torch.testing.assert_close(_residuals(logits).double(), expected, rtol=1e-5, atol=0)


def test_a_network_that_is_sure_of_everything_gets_a_random_batch(clf):
    class Sure(nn.Module):
        def __init__(self, num_classes=10, **_):
            super().__init__()
            self.fc = nn.Linear(64, num_classes)

        def forward(self, x):
            return self.fc(x)

    sure = CNNClassifier(Sure, max_epochs=1, random_state=0, normalize=None).fit(X[:50], Y[:50])
    with torch.no_grad():
        sure.module_.network.fc.weight.zero_()
        sure.module_.network.fc.bias.copy_(torch.arange(10) * 500.0)
    picks = [BADGE(random_state=s).select(sure, X[50:150], 10).indices.tolist() for s in (0, 0, 1)]
    assert picks[0] == picks[1] != picks[2]
    assert len(set(picks[0])) == 10
