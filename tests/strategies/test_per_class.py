"""PerClass against dealing out a batch label by label."""

import numpy as np
import pytest

from skactive import CoreSet, Entropy, Margin, PerClass, PowerBALD, Random
from skactive.selection import k_center_greedy
from skactive.strategies._per_class import _shares
from tests.strategies.stubs import Fixed, distributions

P = distributions(60, 2, C=4, seed=1)
P[:30, :, 0] += 3  # most are predicted to be of class 0
P[:, :, 3] /= 3
P /= P.sum(2, keepdims=True)
PREDICTED = P[:, 0].argmax(1)
CLF = Fixed(0, range(4))
SIZES = np.bincount(PREDICTED, minlength=4)


def deal(sizes, n):
    """One label after the other, to the classes in turns, the smallest first."""
    left, shares = list(sizes), [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda c: sizes[c])
    while True:
        for c in order:
            if not n:
                return shares
            if left[c]:
                left[c], shares[c], n = left[c] - 1, shares[c] + 1, n - 1


@pytest.mark.parametrize("sizes", [[30, 2, 7, 1], [5, 5, 5], [0, 4, 0], [0, 9, 3], [1]])
def test_shares(sizes):
    for n in range(1, sum(sizes) + 1):
        assert _shares(np.array(sizes), n).tolist() == deal(sizes, n)


@pytest.mark.parametrize("n", [1, 2, 4, 9, 25, 60])
def test_each_class_gives_its_best_in_turns(n):
    assert 0 < SIZES[3] < SIZES.max()
    found = PerClass(Margin()).select(CLF, P, n)
    utilities = Margin().select(CLF, P, 1).utilities
    shares, order = deal(SIZES, n), np.argsort(SIZES, kind="stable")
    best = {
        c: sorted(np.flatnonzero(c == PREDICTED), key=lambda i: -utilities[i])[: shares[c]]
        for c in order
    }
    picks = [best[c][turn] for turn in range(n) for c in order if turn < shares[c]]
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.gains, utilities[picks])
    assert found.utilities is None


def test_k_center_within_classes_with_embeddings():
    rows = np.random.default_rng(0).normal(size=(70, 3))
    found = PerClass(CoreSet()).select(
        CLF,
        P,
        12,
        X_labelled=P[:10],
        embeddings=rows[:60],
        embeddings_labelled=rows[60:],
    )
    for c in range(4):
        here = np.flatnonzero(c == PREDICTED)
        share = deal(SIZES, 12)[c]
        expected = here[k_center_greedy(rows[here], share, centers=rows[60:]).indices]
        assert [i for i in found.indices if PREDICTED[i] == c] == expected.tolist()


def test_one_predicted_class_is_the_whole_pool():
    certain = P[PREDICTED == 0]
    found = PerClass(Entropy()).select(CLF, certain, 5)
    assert found.indices.tolist() == Entropy().select(CLF, certain, 5).indices.tolist()


def test_members_of_a_committee_are_averaged():
    found = PerClass(Entropy()).select([CLF, Fixed(1, range(4))], P, 8)
    predicted = P.mean(1).argmax(1)
    shares = deal(np.bincount(predicted, minlength=4), 8)
    assert np.bincount(predicted[found.indices], minlength=4).tolist() == shares
    two = PerClass(PowerBALD(random_state=3)).select([CLF, Fixed(1, range(4))], P, 8)
    assert len(set(two.indices.tolist())) == 8


def test_seeds():
    def picks(seed, own=None):
        query = PerClass(Random(random_state=own), random_state=seed)
        return query.select(CLF, P, 20).indices.tolist()

    assert picks(0) == picks(0) == picks(0, 7) != picks(1)
    assert picks(None, 7) == picks(None, 7) != picks(None, 8)


def test_parameters():
    query = PerClass(Margin(batch_size=7))
    assert query.get_params()["strategy__batch_size"] == 7
    with pytest.raises(ValueError, match="'strategy' parameter of PerClass"):
        PerClass("margin").select(CLF, P, 3)
