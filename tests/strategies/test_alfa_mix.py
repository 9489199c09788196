"""ALFAMix against mixing as it is written: gradients by autograd, one anchor and ε at a time."""

import enum

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from skactive import ALFAMix, CNNClassifier
from skactive.gradients import head_inputs
from skactive.selection import mixing_thresholds
from skactive.strategies import _alfa_mix
from skactive.strategies.base._nearest import nearest_to_centers

X, Y = load_digits(return_X_y=True)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier(max_epochs=3, random_state=0, classes=range(10)).fit(X[:60], Y[:60])
    clf.module_.double()
    return clf


def changes(h, anchor, W, b, epsilon):
    """Whether the prediction for one embedding changes when the anchor is mixed in."""
    x = torch.as_tensor(h).requires_grad_()
    logits = torch.as_tensor(W) @ x + torch.as_tensor(b)
    label = logits.argmax()
    loss = nn.functional.cross_entropy(logits[None], label[None])
    (gradient,) = torch.autograd.grad(loss, x)
    gradient = gradient.numpy()
    apart = anchor - h
    if not gradient.any() or not apart.any():
        return False
    length = epsilon * np.linalg.norm(apart) / np.linalg.norm(gradient)
    shares = np.array([length * g / d if d else 0 for g, d in zip(gradient, apart, strict=True)])
    mixed = (1 - shares) * h + shares * anchor
    return (W @ mixed + b).argmax() != int(label)


@pytest.mark.parametrize("equal_coordinates", [False, True])
def test_predictions_change_at_the_threshold(equal_coordinates):
    h, anchors = RNG.normal(size=(40, 5)), RNG.normal(size=(3, 5))
    W, b = RNG.normal(size=(4, 5)), RNG.normal(size=4)
    if equal_coordinates:  # as units that are off for a sample and for a class
        h, anchors = np.maximum(h, 0), np.maximum(anchors, 0)
        assert (h[:, None] == anchors).any(2).mean() > 0.5
    z = h @ W.T + b
    found = mixing_thresholds(z, h, W, anchors)
    for x, epsilon in zip(h, found, strict=True):
        one_by_one = [mixing_thresholds([W @ x + b], [x], W, [a])[0] for a in anchors]
        assert epsilon == pytest.approx(min(one_by_one), rel=1e-9)
        for anchor, at in zip(anchors, one_by_one, strict=True):
            if np.isfinite(at):
                assert not changes(x, anchor, W, b, at * (1 - 1e-6))
                assert changes(x, anchor, W, b, at * (1 + 1e-6))
                assert changes(x, anchor, W, b, at * 50)  # and does not come back
            else:
                assert not any(changes(x, anchor, W, b, 10.0**k) for k in range(-3, 4))
    shifted = mixing_thresholds(z + RNG.normal(size=(40, 1)), h, W, anchors)
    np.testing.assert_allclose(shifted, found, rtol=1e-9)


def test_what_cannot_change():
    W = np.eye(2)
    sure = np.array([[2000.0, 0.0]])  # p rounds to 1: the direction is known all the same
    step = 2000 / np.sqrt(2)
    apart = np.hypot(1999, 1)
    found = mixing_thresholds(sure, sure, W, [[1.0, 1.0]])
    np.testing.assert_allclose(found, step / apart, rtol=1e-12)
    assert np.isinf(mixing_thresholds(sure, sure, W, sure)).all()  # the anchor itself
    assert np.isinf(mixing_thresholds([[1.0, 0.0]], [[1.0, 2.0]], np.ones((2, 2)), [[0.0, 0.0]]))


def published_candidates(h, anchors, W, b, n, step):
    """Mix with every anchor at each ε, which grows until there are more than n candidates."""
    candidates, cap = set(), 0.0
    while cap < 1.0 - 1e-9:
        cap += step
        epsilon = cap / np.sqrt(h.shape[1])
        for i, x in enumerate(h):
            if any(changes(x, anchor, W, b, epsilon) for anchor in anchors):
                candidates.add(i)
        if len(candidates) > n:
            break
    return sorted(candidates)


@pytest.mark.parametrize("epsilon", [0.2, 0.03, 0.3])
def test_candidates_are_those_of_the_published_steps(clf, epsilon, monkeypatch):
    known, labels, pool = X[:60], Y[:60], X[60:160]
    labels = np.where(labels == 7, 3, labels)  # no label of class 7: the mean of all
    head = [layer for layer in clf.module_.modules() if isinstance(layer, nn.Linear)][-1]
    W, b = head.weight.detach().numpy(), head.bias.detach().numpy()
    h, h_known = (head_inputs(clf.module_, part).inputs.numpy() for part in (pool, known))
    anchors = [h_known[labels == c].mean(0) if c != 7 else h_known.mean(0) for c in range(10)]
    n = 8
    candidates = np.array(published_candidates(h, anchors, W, b, n, epsilon))
    assert n < len(candidates) < 100
    rows = h / np.linalg.norm(h, axis=1, keepdims=True)
    seen = []

    def spy(given, *others):
        seen.append((given, nearest_to_centers(given, *others)))
        return seen[-1][1]

    monkeypatch.setattr(_alfa_mix, "nearest_to_centers", spy)
    strategy = ALFAMix(epsilon=epsilon, batch_size=32, random_state=4)
    found = strategy.select(clf, pool, n, X_labelled=known, y_labelled=labels)
    ((given, picks),) = seen
    np.testing.assert_allclose(given, rows[candidates], rtol=1e-9)
    assert found.indices.tolist() == candidates[picks.indices].tolist()
    assert found.gains.tolist() == picks.gains.tolist()


def test_fewer_candidates_than_are_asked_for_and_no_labels(clf):
    pool, given = X[60:160], {"X_labelled": X[:60], "y_labelled": Y[:60]}
    found = ALFAMix(random_state=0).select(clf, pool, 95, **given)
    n_drawn = int((found.gains == 0).sum())
    assert 0 < n_drawn < 95
    assert (found.gains[:-n_drawn] == 1).all()
    few = ALFAMix(random_state=1).select(clf, pool, 95, **given)
    assert set(few.indices[:-n_drawn].tolist()) == set(found.indices[:-n_drawn].tolist())
    assert few.indices[-n_drawn:].tolist() != found.indices[-n_drawn:].tolist()
    picks = [ALFAMix(random_state=s).select(clf, pool, 10) for s in (0, 0, 1)]
    assert picks[0].indices.tolist() == picks[1].indices.tolist() != picks[2].indices.tolist()
    assert not picks[0].gains.any()
    by_mean = ALFAMix(random_state=0).select(clf, pool, 10, X_labelled=X[:60])
    assert by_mean.gains.sum() > 10  # one anchor, the mean of all


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"anchors": np.ones((2, 3))}, "'anchors' parameter of mixing_thresholds"),
        ({"inputs": np.ones((2, 4))}, "'weight' parameter .* for logits"),
        ({"logits": np.ones((3, 1)), "weight": np.ones((1, 4))}, "C ≥ 2"),
        ({"inputs": np.full((3, 4), np.nan)}, "'inputs' parameter"),
    ],
)
def test_wrong_arguments(changed, match, clf):
    given = {"logits": np.ones((3, 2)), "inputs": np.ones((3, 4)), "weight": np.ones((2, 4))}
    with pytest.raises(ValueError, match=match):
        mixing_thresholds(**{**given, "anchors": np.ones((1, 4)), **changed})
    with pytest.raises(ValueError, match="'epsilon' parameter of ALFAMix"):
        ALFAMix(epsilon=0.0).select(clf, X[:9], 1)


class Text(str, enum.Enum):
    zero, one, two = "0", "1", "2"


@pytest.mark.parametrize(
    "kind",
    [
        lambda y: y.tolist(),
        lambda y: y[:, None],
        lambda y: pd.DataFrame({"y": y}),
        lambda y: torch.tensor(y, dtype=torch.float64, requires_grad=True),
        lambda y: y.astype(object),
    ],
)
def test_labels_are_read_as_fit_reads_them(clf, kind):
    given = {"X_labelled": X[:60]}
    expected = ALFAMix(random_state=0).select(clf, X[60:], 9, y_labelled=Y[:60], **given)
    found = ALFAMix(random_state=0).select(clf, X[60:], 9, y_labelled=kind(Y[:60]), **given)
    assert found.indices.tolist() == expected.indices.tolist()


def test_labels_that_are_strings_and_members_of_an_enum():
    few = np.flatnonzero(Y < 3)[:60]
    members = [list(Text)[label] for label in Y[few]]
    names = np.array([member.value for member in members])
    clf = CNNClassifier(max_epochs=3, random_state=0).fit(X[few], names)
    found = [
        ALFAMix(random_state=0).select(clf, X, 9, X_labelled=X[few], y_labelled=y).indices.tolist()
        for y in (names, members, None)
    ]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (Y[:60].astype(str), r"'y_labelled' parameter of ALFAMix must be numbers.* Got strings"),
        (np.ma.masked_equal(Y[:60], 3), "y_labelled has no label at position 3"),
        ([*range(59), "3"], "'y_labelled' parameter of ALFAMix must be labels of one kind"),
    ],
)
def test_labels_of_another_kind_are_refused(clf, y, match):
    with pytest.raises(ValueError, match=match):
        ALFAMix().select(clf, X[60:], 9, X_labelled=X[:60], y_labelled=y)
