"""DiscriminativeAL against a loop of scikit-learn's classifiers, and scikit-activeml's."""

import signal
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from skactive import DiscriminativeAL
from skactive.selection import discriminative_picks

RNG = np.random.default_rng(0)
KNOWN = RNG.normal(size=(12, 3))
POOL = np.concatenate([RNG.normal(size=(50, 3)), RNG.normal(size=(10, 3)) * 0.1 + [6, 0, 0]])
LINE = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000)


def one_by_one(n, sizes):
    """Fit to all that is left, take the surest, and count them as labelled from then on."""
    picks, gains = [], []
    for size in sizes:
        left = [i for i in range(len(POOL)) if i not in picks]
        X = np.concatenate([KNOWN, POOL[picks], POOL[left]])
        y = [0] * (len(KNOWN) + len(picks)) + [1] * len(left)
        p = LINE.fit(X, y).predict_proba(POOL[left])[:, 1]
        best = np.argsort(-p, kind="stable")[:size]
        picks += [left[i] for i in best]
        gains += p[best].tolist()
    assert len(picks) == n
    return picks, gains


@pytest.mark.parametrize(
    ("n", "sub_batches", "sizes"),
    [(8, 8, [1] * 8), (8, 20, [1] * 8), (9, 4, [3, 2, 2, 2]), (5, 1, [5]), (60, 3, [20] * 3)],
)
def test_sub_batches_are_those_of_a_loop(n, sub_batches, sizes):
    strategy = DiscriminativeAL(
        classifier=LINE, sub_batches=sub_batches, ratio=None, embeddings=lambda X: X, batch_size=16
    )
    picks, gains = one_by_one(n, sizes)
    found = strategy.select(None, POOL, n, X_labelled=KNOWN)
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.gains, gains, rtol=1e-5)
    arrays = {"embeddings": POOL, "embeddings_labelled": KNOWN}
    again = strategy.set_params(embeddings=None).select(None, POOL, n, X_labelled=KNOWN, **arrays)
    assert again.indices.tolist() == picks


def test_sample_by_sample_is_scikit_activemls():
    skactiveml = pytest.importorskip("skactiveml.pool")
    from skactiveml.classifier import SklearnClassifier

    X = np.concatenate([KNOWN, POOL])
    y = np.r_[np.zeros(len(KNOWN)), np.full(len(POOL), np.nan)]
    peer = skactiveml.DiscriminativeAL(random_state=0)
    theirs = peer.query(X, y, discriminator=SklearnClassifier(LINE), batch_size=8)
    ours = discriminative_picks(POOL, 8, labelled=KNOWN, classifier=LINE, sub_batches=8, ratio=None)
    assert ours.indices.tolist() == (theirs - len(KNOWN)).tolist()


class Notes(ClassifierMixin, BaseEstimator):
    """Keeps what it is fitted to, in a list that its clones share."""

    def __init__(self, seen):
        self.seen = seen

    def __sklearn_clone__(self):
        return type(self)(self.seen)

    def fit(self, X, y):
        self.seen.append((X, y))
        return self

    def predict_proba(self, X):
        return np.stack([1 - X[:, 0], X[:, 0]], axis=1)


def test_ratio_bounds_what_is_trained_on_and_chosen_from():
    X = np.random.default_rng(1).uniform(size=(500, 1))
    seen = []
    settings = {"classifier": Notes(seen), "sub_batches": 3, "random_state": 0}
    found = discriminative_picks(X, 12, labelled=[[2.0]] * 2, ratio=7, **settings)
    assert [np.bincount(y).tolist() for _, y in seen] == [[2, 14], [6, 42], [10, 70]]
    for (fitted, y), picked in zip(seen, found.indices.reshape(3, 4), strict=True):
        unlabelled = fitted[y == 1]
        np.testing.assert_array_equal(X[picked, 0], np.sort(unlabelled[:, 0])[::-1][:4])
    seen.clear()
    discriminative_picks(X, 40, labelled=[[2.0]], ratio=1, **{**settings, "sub_batches": 1})
    assert np.bincount(seen[0][1]).tolist() == [1, 40]  # as many as are asked for, at least


def test_nothing_is_labelled_yet():
    found = [
        discriminative_picks(POOL, 6, classifier=LINE, sub_batches=2, random_state=s)
        for s in (0, 0, 1)
    ]
    assert found[0].indices.tolist() == found[1].indices.tolist()
    assert found[0].indices[:3].tolist() != found[2].indices[:3].tolist()
    assert found[0].gains[:3].tolist() == [1, 1, 1]
    assert (found[0].gains[3:] < 1).all()


@pytest.mark.parametrize("classifier", [ExtraTreesClassifier(5), MLPClassifier((8,), max_iter=5)])
def test_a_classifier_without_a_seed_is_seeded(classifier):
    """Otherwise it would draw from NumPy's process-wide generator."""
    picks = []
    for seed in (1, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            np.random.seed(seed)
            before = np.random.get_state()[1].tolist(), np.random.get_state()[2]
            given = {"labelled": KNOWN, "classifier": classifier, "random_state": 0}
            picks.append(discriminative_picks(POOL, 12, **given).indices.tolist())
            assert (np.random.get_state()[1].tolist(), np.random.get_state()[2]) == before
    assert picks[0] == picks[1]


def test_a_plain_net_is_seeded_and_ctrl_c_comes_out_of_it():
    class Stopped(nn.Linear):
        def forward(self, X):
            if self.training and press:
                signal.raise_signal(signal.SIGINT)
            return super().forward(X).softmax(1)

    plain = NeuralNetClassifier(Stopped, module__in_features=3, module__out_features=2, verbose=0)
    plain.set_params(train_split=None, max_epochs=2)
    given = {"labelled": KNOWN.astype("f"), "classifier": plain, "random_state": 0}
    given["sub_batches"] = 1
    press = False
    picks = [discriminative_picks(POOL.astype("f"), 6, **given) for _ in range(2)]
    np.testing.assert_array_equal(picks[0].gains, picks[1].gains)
    press = True
    with pytest.raises(KeyboardInterrupt):
        discriminative_picks(POOL.astype("f"), 6, **given)


def test_the_order_of_the_pool_does_not_decide_among_equals():
    class Sure(Notes):
        def predict_proba(self, X):
            return np.repeat([[0.0, 1.0]], len(X), axis=0)

    given = {"labelled": KNOWN, "classifier": Sure([]), "ratio": None, "sub_batches": 2}
    picks = [discriminative_picks(POOL, 10, **given, random_state=s) for s in (0, 0, 1)]
    picks = [found.indices.tolist() for found in picks]
    assert picks[0] == picks[1] != picks[2]
    assert max(picks[0][:5]) > 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_finds_what_no_label_stands_for(dtype):
    pool = torch.as_tensor(POOL, dtype=dtype)
    state = torch.get_rng_state()
    with torch.no_grad():
        found = [
            discriminative_picks(
                pool, 3, labelled=KNOWN, sub_batches=1, max_epochs=60, random_state=0
            )
            for _ in range(2)
        ]
    assert found[0].indices.tolist() == found[1].indices.tolist()
    assert (found[0].indices >= 50).all()  # the cluster far away
    assert (found[0].gains > 0.9).all()
    assert torch.equal(torch.get_rng_state(), state)


def test_training_ends_when_nearly_all_are_told_apart(monkeypatch):
    """Some epochs after that the far ones would be sure to the last digit."""
    steps = []
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, step=torch.optim.Adam.step: steps.append(step(self))
    )
    far = torch.full((40, 2), 30.0) + torch.as_tensor(POOL[:40, :2]).float()
    given = {"labelled": np.zeros((40, 2)), "sub_batches": 1, "random_state": 0}
    discriminative_picks(far, 2, max_epochs=400, **given)
    assert 1 <= len(steps) < 100


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"labelled": [[1.0]]}, "'labelled' parameter of discriminative_picks"),
        ({"n": 61}, "'n' parameter of discriminative_picks"),
        ({"sub_batches": 0}, "'sub_batches' parameter of discriminative_picks"),
        ({"ratio": 0}, "'ratio' parameter of discriminative_picks"),
        ({"max_epochs": 0}, "'max_epochs' parameter of discriminative_picks"),
    ],
)
def test_wrong_arguments(given, match):
    with pytest.raises(ValueError, match=match):
        discriminative_picks(POOL, **{"n": 2, "labelled": KNOWN, **given})
    with pytest.raises(ValueError, match="'classifier' parameter of DiscriminativeAL"):
        DiscriminativeAL(classifier=3).select(None, POOL, 1, embeddings=POOL)


@pytest.mark.parametrize(
    "context",
    [
        torch.inference_mode,
        torch.no_grad,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.device("meta"),
    ],
    ids=["inference_mode", "no_grad", "autocast", "device"],
)
def test_picks_do_not_depend_on_torchs_contexts(context):
    def pick():
        values, known = torch.from_numpy(POOL), torch.from_numpy(KNOWN)
        return discriminative_picks(
            values * 2, 4, labelled=known * 2, sub_batches=2, max_epochs=3, random_state=0
        )

    expected = pick()
    with context():
        found = pick()  # of tensors that are made inside
    assert found.indices.tolist() == expected.indices.tolist()
    assert found.gains.tolist() == expected.gains.tolist()
