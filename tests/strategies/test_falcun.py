"""FALCUN against a loop over samples, and its first draw against scikit-activeml's."""

import numpy as np
import pytest

from skactive import FALCUN
from skactive.selection import falcun
from tests.strategies.stubs import Fixed, distributions

P = distributions(40, 1, 4)[:, 0]


def relevances(p, picks):
    """Of the samples that are left after some picks, by the definition; NaN for the picks."""
    u = [1 - (np.sort(row)[-1] - np.sort(row)[-2]) for row in p]
    d = [min([u[i], *(np.abs(p[i] - p[j]).sum() for j in picks)]) for i in range(len(p))]
    left = [i for i in range(len(p)) if i not in picks]
    low, high = min(d[i] for i in left), max(d[i] for i in left)
    r = np.full(len(p), np.nan)
    for i in left:
        r[i] = u[i] + ((d[i] - low) / (high - low) if high > low else 0)
    return r


@pytest.mark.parametrize("gamma", [0.0, 10.0, 500.0])
def test_relevances_are_those_of_the_definition(gamma):
    found = falcun(P, 40, gamma=gamma, random_state=0)
    assert sorted(found.indices) == list(range(40))
    for i, (pick, gain) in enumerate(zip(found.indices, found.gains, strict=True)):
        r = relevances(P, found.indices[:i].tolist())
        assert gain == pytest.approx(r[pick], rel=1e-12)
        if gamma == 500 and i < 39:
            second, best = np.sort(r[~np.isnan(r)])[-2:]
            assert pick == np.nanargmax(r) or best < 1.05 * second


def test_draws_have_the_probabilities_of_the_powers():
    p = distributions(6, 1, 3, seed=1)[:, 0]
    counts, first = np.zeros((6, 6)), np.zeros(6)
    for seed in range(3000):
        a, b = falcun(p, 2, gamma=3.0, random_state=seed).indices
        counts[a, b] += 1
        first[a] += 1
    expected = np.nan_to_num(relevances(p, []) ** 3)
    check_counts(first, expected / expected.sum())
    a = int(first.argmax())
    expected = np.nan_to_num(relevances(p, [a]) ** 3)
    check_counts(counts[a], expected / expected.sum())


def check_counts(counts, p):
    n = counts.sum()
    assert (np.abs(counts - n * p) <= 4.5 * np.sqrt(n * p * (1 - p)) + 1e-9).all()


def test_sure_and_equal_predictions_are_drawn_uniformly():
    sure = np.eye(3)[np.arange(9) % 3]  # u = 0 for all, whatever the distances
    equal = np.repeat([[0.6, 0.3, 0.1]], 9, axis=0)
    for p in (sure, equal):
        counts = np.zeros(9)
        for seed in range(900):
            counts[falcun(p, 3, random_state=seed).indices] += 1
        check_counts(counts / 3, np.full(9, 1 / 9))
    assert len(set(falcun(sure, 9, random_state=0))) == 9
    assert falcun(equal, 9, random_state=0).gains[1:].tolist() == pytest.approx([0.7] * 8)


def test_large_powers_do_not_overflow():
    found = falcun(P, 10, gamma=1e6, random_state=0)
    for i, pick in enumerate(found.indices):
        assert pick == np.nanargmax(relevances(P, found.indices[:i].tolist()))


def test_estimators_committees_and_seeds():
    p = distributions(30, 2, 3)
    alone = FALCUN(random_state=3).select(Fixed(0), p, 8)
    expected = falcun(p[:, 0], 8, random_state=3)
    assert alone.indices.tolist() == expected.indices.tolist()
    both = FALCUN(gamma=2.0, random_state=3).select([Fixed(0), Fixed(1)], p, 8)
    expected = falcun(p.mean(1), 8, gamma=2.0, random_state=3)
    assert both.indices.tolist() == expected.indices.tolist()


def test_the_first_draw_is_scikit_activemls_where_one_sample_leads():
    """Later draws differ: the peer scales scaled distances again, see FALCUN's References."""
    skactiveml = pytest.importorskip("skactiveml.pool")
    from skactiveml.base import SkactivemlClassifier

    class Given(SkactivemlClassifier):
        def fit(self, X, y, sample_weight=None):
            self.classes_ = np.arange(4)
            return self

        def predict_proba(self, X):
            return X

    for seed in range(5):
        p = distributions(40, 1, 4, seed=seed)[:, 0]
        p = 0.5 * p + 0.5 * np.eye(4)[p.argmax(1)]  # surer than the one that leads
        p[7 * seed] = [0.5, 0.5, 0, 0]
        peer = skactiveml.Falcun(gamma=500, random_state=np.random.RandomState(0))
        theirs = peer.query(p, np.full(40, np.nan), Given(classes=range(4)), batch_size=1)
        assert theirs.tolist() == [7 * seed]
        assert falcun(p, 1, gamma=500.0, random_state=0).indices.tolist() == [7 * seed]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"p": [[1.0]]}, "'p' parameter of falcun must be .* C ≥ 2"),
        ({"p": [[np.nan, 1.0]]}, "'p' parameter of falcun"),
        ({"n": 41}, "'n' parameter of falcun must be an int from 1 to 40"),
        ({"gamma": -1.0}, "'gamma' parameter of falcun must be a finite number"),
        ({"gamma": np.inf}, "'gamma' parameter of falcun must be a finite number"),
        ({"random_state": "0"}, "'random_state' parameter of falcun"),
    ],
)
def test_wrong_arguments(given, match):
    with pytest.raises(ValueError, match=match):
        falcun(**{"p": P, "n": 1, **given})
    with pytest.raises(ValueError, match="'gamma' parameter of FALCUN"):
        FALCUN(gamma=-1.0).select(Fixed(), distributions(5, 1), 1)
