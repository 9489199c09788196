"""The paired bound: from the four counts by hand, and by simulation."""

import math

import numpy as np
import pytest

from skactive.stopping import PairedChange


def bound(before, now, z):
    """The interval for matched proportions with one half added to each of the four counts."""
    counts = dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0.5)
    for pair in zip(before, now, strict=True):
        counts[int(pair[0]), int(pair[1])] += 1
    n = sum(counts.values())
    gained, lost = counts[0, 1] / n, counts[1, 0] / n
    change = gained - lost
    return change + z * math.sqrt((gained + lost - change**2) / n)


@pytest.mark.parametrize("window", [1, 2])
def test_the_bound_from_the_four_counts(window):
    rng = np.random.default_rng(0)
    seen = [rng.random(60) < share for share in (0.3, 0.6, 0.7, 0.72)]
    state = PairedChange(window=window, level=0.95).judge(seen)
    expected = [math.nan] * window + [
        bound(seen[r - window], seen[r], 1.6448536269514722) for r in range(window, 4)
    ]
    np.testing.assert_allclose(state.values, expected, rtol=1e-12)
    assert PairedChange(window=window, threshold=state.value).judge(seen).stop
    assert not PairedChange(window=window, threshold=state.value - 1e-12).judge(seen).stop
    # as it comes back from JSON
    stored = [found.astype(int).tolist() for found in seen]
    np.testing.assert_array_equal(PairedChange(window=window).judge(stored).values, state.values)


def test_the_bound_holds_as_often_as_it_says():
    """Of simulated pairs of networks with a known change, 95 % are below their bound."""
    rng = np.random.default_rng(1)
    gained, lost, n = 0.12, 0.08, 150
    held = 0
    for _ in range(2000):
        kind = rng.choice(3, n, p=[gained, lost, 1 - gained - lost])
        before, now = kind == 1, kind == 0
        held += PairedChange(window=1).judge([before, now]).value >= gained - lost
    assert held / 2000 == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 2000))


def test_few_samples_tell_nothing():
    same = np.ones(5, dtype=bool)
    assert not PairedChange(window=1).judge([same, same]).stop
    same = np.ones(1000, dtype=bool)
    assert PairedChange(window=1).judge([same, same]).stop


class Fixed:
    def predict(self, X):
        return np.array(["a", "b", "b"])


def test_labels_are_needed():
    state = PairedChange()(Fixed(), [0, 1, 2], ["a", "b", "a"])
    assert state.seen[0].tolist() == [True, True, False]
    for wrong in (None, ["a"], [["a"], ["b"], ["a"]]):
        with pytest.raises(ValueError, match="'y_stop' .* the labels of the 3 samples of X_stop"):
            PairedChange()(Fixed(), [0, 1, 2], wrong)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (
            [0, 1, 1],
            "predict of the Fixed .* labels like the true ones, numbers such as 0. Got 'a'",
        ),
        (["a", None, "b"], "y_stop has no label at position 1"),
    ],
)
def test_labels_that_no_prediction_equals(labels, match):
    with pytest.raises(ValueError, match=match):
        PairedChange()(Fixed(), [0, 1, 2], labels)
