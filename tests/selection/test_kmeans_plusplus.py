"""k-means++ against the exact probabilities of its definition."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import chisquare

from skactive.selection import kmeans_plusplus


def formed(X):
    """The rows themselves, C·D numbers each for a pair."""
    if isinstance(X, tuple):
        return np.einsum("nc,nd->ncd", *X).reshape(len(X[0]), -1)
    return X


def probability(X, order, first):
    """Of drawing these samples in this order."""
    X = formed(X)
    p = 1 / len(X) if first == "random" else float(order[0] == (X**2).sum(1).argmax())
    for i in range(1, len(order)):
        nearest = cdist(X, X[list(order[:i])], "sqeuclidean").min(1)
        p *= nearest[order[i]] / nearest.sum()
    return p


def pair(N=6, C=3, D=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, C)), rng.normal(size=(N, D)) + 0.5


@pytest.mark.parametrize("first", ["random", "largest"])
@pytest.mark.parametrize("kind", ["rows", "pair", "two far blobs"])
def test_draws_have_the_probabilities_of_the_definition(first, kind):
    rng = np.random.default_rng(1)
    X = {
        "rows": lambda: rng.normal(size=(5, 2)),
        "pair": lambda: pair(5),
        # after one draw from each blob little is left: most proposals of a round are refused
        "two far blobs": lambda: rng.normal(size=(5, 2)) * 0.1 + 30 * np.arange(5)[:, None] % 60,
    }[kind]()
    n_draws, counts = 1200, dict.fromkeys(permutations(range(5), 3), 0)
    for seed in range(n_draws):
        counts[tuple(kmeans_plusplus(X, 3, first=first, random_state=seed))] += 1
    expected = {order: n_draws * probability(X, order, first) for order in counts}
    assert sum(expected.values()) == pytest.approx(n_draws)
    # rare orders together, so that each class of the test is large enough
    common = [order for order, e in expected.items() if e >= 8]
    seen = np.array([counts[o] for o in common])
    due = np.array([expected[o] for o in common])
    rest = n_draws - due.sum()
    if rest >= 8:
        seen, due = np.append(seen, n_draws - seen.sum()), np.append(due, rest)
    else:
        assert n_draws - seen.sum() <= rest + 6 * np.sqrt(rest + 1)
        due = due * seen.sum() / due.sum()
    assert chisquare(seen, due).pvalue > 1e-4


def test_long_batches_follow_the_plain_loop_on_average():
    """The D² left after 60 draws is as the plain loop leaves it."""

    def plain(X, n, seed):
        rng = np.random.default_rng(seed)
        picks = [int((X**2).sum(1).argmax())]
        while len(picks) < n:
            nearest = cdist(X, X[picks], "sqeuclidean").min(1)
            picks.append(int(rng.choice(len(X), p=nearest / nearest.sum())))
        return picks

    S, H = pair(400, 4, 6)
    X = formed((S, H))

    def left(picks):
        return cdist(X, X[picks], "sqeuclidean").min(1).sum()

    fast = [left(kmeans_plusplus((S, H), 60, first="largest", random_state=s)) for s in range(60)]
    slow = [left(plain(X, 60, s)) for s in range(60)]
    error = np.hypot(np.std(fast), np.std(slow)) / np.sqrt(60)
    assert abs(np.mean(fast) - np.mean(slow)) < 4 * error


def test_gains_are_the_squared_distances():
    X = pair(200, 5, 7)
    found = kmeans_plusplus(X, 50, first="largest", random_state=0)
    rows = formed(X)
    assert found.indices[0] == (rows**2).sum(1).argmax()
    assert found.gains[0] == np.inf
    for i in range(1, 50):
        nearest = cdist(rows, rows[found.indices[:i]], "sqeuclidean").min(1)
        assert found.gains[i] == pytest.approx(nearest[found.indices[i]], rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repeated_samples_are_drawn_last(dtype):
    S, H = (part.astype(dtype) for part in pair(30, 10, 64))
    S, H = np.tile(S, (5, 1)), np.tile(H, (5, 1))
    for X in [(S, H), H]:
        for seed in range(10):
            picks = kmeans_plusplus(X, 60, random_state=seed)
            assert len(set(picks)) == 60
            assert len({i % 30 for i in list(picks)[:30]}) == 30


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_samples_are_drawn_uniformly_and_once(value):
    S, H = np.full((20, 3), value), np.full((20, 4), value)
    counts = np.zeros(20)
    for seed in range(1000):
        found = kmeans_plusplus((S, H), 5, first="largest", random_state=seed)
        assert len(set(found.indices.tolist())) == 5
        assert found.gains.tolist() == [np.inf, 0, 0, 0, 0]
        counts[found.indices] += 1
    assert counts[0] == 1000  # the first of the largest
    assert np.abs(counts[1:] - 1000 * 4 / 19).max() < 5 * np.sqrt(1000 * 4 / 19)
    everything = kmeans_plusplus((S, H), 20, random_state=0)
    assert sorted(everything) == list(range(20))


def test_a_sample_next_to_one_drawn_keeps_its_digits():
    """‖x‖² + ‖y‖² − 2⟨x, y⟩ would be rounding only."""
    S = np.ones((3, 2), dtype=np.float32)
    H = np.array([[1000.0, 1.0], [1000.0, 1.001], [0.0, 0.0]], dtype=np.float32)
    found = kmeans_plusplus((S, H), 3, first="largest", random_state=0)
    assert found.indices.tolist() == [0, 2, 1]
    assert found.gains[2] == pytest.approx(2 * (H[1, 1] - H[0, 1]) ** 2, rel=1e-3)


def test_seeds():
    X = pair(500, 4, 8)
    draws = [tuple(kmeans_plusplus(X, 20, random_state=s)) for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    tensors = tuple(torch.as_tensor(part) for part in X)
    assert tuple(kmeans_plusplus(tensors, 20, random_state=0)) == draws[0]
    before = np.random.get_state()[1].tolist()
    kmeans_plusplus(X, 3)
    assert np.random.get_state()[1].tolist() == before


def test_memory_never_holds_the_outer_products():
    from tests.selection.memory import peak_of

    grown = peak_of(
        "S, H = (np.random.default_rng(0).random((20_000, d), dtype=np.float32)"
        " for d in (100, 64))",
        "kmeans_plusplus((S, H), 100, random_state=0)",
    )
    assert grown < 60  # S and H are 12 MB, the outer products would be 488


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda S, H: kmeans_plusplus((S, H, H), 2), r"a pair \(S, H\) of arrays"),
        (lambda S, H: kmeans_plusplus((S, H[:3]), 2), r"a pair \(S, H\).*\(3, 2\)"),
        (lambda S, H: kmeans_plusplus((S.astype("f"), H), 2), "of one dtype and device"),
        (lambda S, H: kmeans_plusplus((S, H * np.nan), 2), "finite squared norms"),
        (lambda S, H: kmeans_plusplus((S * 1e100, H * 1e100), 2), "products have finite norms"),
        (lambda S, H: kmeans_plusplus(S, 7), r"int from 1 to 6 \(the number of samples\)"),
        (lambda S, H: kmeans_plusplus(S, 2, first=0), "'first' .* 'random' or 'largest'. Got 0"),
    ],
)
def test_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call(*pair())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e-25, 1e-35, 1e-44])
def test_rows_whose_squares_are_0_in_single_precision(dtype, size):
    """Residuals of networks that are very sure."""
    S = torch.tensor([[1e-3, 0], [1, 0], [1, 1e-3], [0, 0.5]], dtype=torch.float64)
    S, H = (S * size).to(dtype), torch.ones(4, 2, dtype=dtype)
    for given in ((S, H), S):
        picks = kmeans_plusplus(given, 2, first="largest", random_state=0)
        assert picks.indices[0] in (1, 2)
        assert picks.indices[1] in (0, 3)  # by D², 10⁶ to 1
        assert picks.gains[1] > 0


@pytest.mark.parametrize("power", [-10, -50, -80])
def test_powers_of_two_change_no_pick(power):
    X = torch.as_tensor(np.random.default_rng(0).normal(size=(60, 3)), dtype=torch.float32)
    expected = kmeans_plusplus(X, 9, random_state=3)
    found = kmeans_plusplus(X * 2.0**power, 9, random_state=3)
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_array_equal(found.gains, expected.gains * 4.0**power)
