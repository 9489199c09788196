"""MaxHerding against its algorithm on all kernels, and against scikit-activeml."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skactive import CNNClassifier, MaxHerding
from tests.selection.test_herding import check, naive

X, Y = load_digits(return_X_y=True)
X = X + np.random.default_rng(0).random(X.shape) * 1e-3
POOL, LABELLED = X[40:440], X[:40]


def same(X):
    return X


def normalized(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("sigma", [0.2, 1.0])
@pytest.mark.parametrize("labelled", [LABELLED, None])
def test_picks_are_those_of_the_algorithm(sigma, labelled):
    found = MaxHerding(embeddings=same, sigma=sigma).select(None, POOL, 30, X_labelled=labelled)
    centers = None if labelled is None else normalized(labelled)
    assert check(found, naive(normalized(POOL), 30, sigma, centers)) > 20
    assert found.utilities is None


def test_the_average_over_labelled_samples_too_gives_the_same_picks():
    """As it is written in the paper."""
    everything = normalized(np.concatenate([POOL, LABELLED]))
    kernel = np.exp(-((everything[:, None] - everything) ** 2).sum(2))
    picks = []
    for _ in range(10):
        covering = [*picks, *range(400, 440)]
        gains = [kernel[[*covering, j]].max(0).sum() for j in range(400)]
        picks.append(int(np.argmax(gains)))
    found = MaxHerding(embeddings=same).select(None, POOL, 10, X_labelled=LABELLED)
    assert found.indices.tolist() == picks


def test_without_normalization():
    found = MaxHerding(embeddings=same, normalize=False, sigma=30).select(None, POOL, 20)
    assert check(found, naive(POOL, 20, 30)) == 20


@pytest.mark.parametrize("n_labelled", [0, 40])
def test_picks_are_those_of_scikit_activeml(n_labelled):
    peer = pytest.importorskip("skactiveml.pool").MaxHerding(
        metric_dict={"gamma": 1.0}, random_state=0
    )
    pool, labelled = X[n_labelled:440], X[:n_labelled]
    known = np.where(np.arange(440) < n_labelled, Y[:440], np.nan)
    theirs = peer.query(X[:440], known, batch_size=30) - n_labelled
    found = MaxHerding(embeddings=same).select(None, pool, 30, X_labelled=labelled)
    leads = naive(normalized(pool), 30, 1.0, normalized(labelled) if n_labelled else None)[2]
    sure = next((i for i, lead in enumerate(leads) if lead < 1e-9), 30)
    assert sure > 20
    assert found.indices[:sure].tolist() == theirs[:sure].tolist()


def test_the_networks_own_embeddings():
    clf = CNNClassifier(max_epochs=1, random_state=0, classes=range(10)).fit(LABELLED, Y[:40])
    given = MaxHerding().select(clf, POOL, 8, X_labelled=LABELLED)
    assert len(set(given.indices.tolist())) == 8


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'sigma' parameter of MaxHerding"):
        MaxHerding(embeddings=same, sigma=0).select(None, POOL, 3)
