"""`target=` and `X_target=` of BAIT and FisherMask, against the published loop."""

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.models import ActiveLearner

from skactive import BAIT, CNNClassifier, CoreSet, Entropy, FisherMask, Subsample
from skactive.exceptions import EmptyClassWarning, TwoStageWarning
from skactive.fisher import head_factors, target_weights
from skactive.fisher.memory import matrix_bytes, sample_bytes
from tests import oracles


@pytest.fixture(scope="module")
def fitted():
    """A small CNN in float64, so that picks can be compared one by one."""
    rng = np.random.default_rng(0)
    X, y = rng.random((70, 1, 8, 8)), np.arange(70) % 3
    X[np.arange(70), 0, y * 2] += 0.5
    clf = CNNClassifier("small_cnn", module_params={"width": 3}, max_epochs=5, random_state=0)
    clf.set_params(channels="first").fit(X[:12], np.array(["a", "b", "c"])[y[:12]])
    clf.module_.double()
    return clf, X


STRATEGIES = {
    "BAIT": lambda **given: BAIT(oversample=1.0, **given),
    "FisherMask": lambda **given: FisherMask(mask="head", random_state=0, **given),
}
# A target, and the shares that it stands for.
TARGETS = {
    "balanced": ("balanced", [1, 1, 1]),
    "mapping": ({"c": 0.75, "a": 0.25}, [1, 0, 3]),
    "series by class": (pd.Series({"b": 0.2, "a": 0.5, "c": 0.3}), [5, 2, 3]),
    "list": ([0, 0, 1], [0, 0, 1]),
}


def expected(clf, parts, weights, n=6):
    """The picks of the published loop: of (pool, labelled samples, others) by weights."""
    X = np.concatenate(parts)
    n_last = sum(p.numel() for p in clf.module_.network.fc.parameters())
    V = oracles.naive_rows(clf.module_, torch.as_tensor(X))[:, :, -n_last:].numpy()
    n_pool, n_L = len(parts[0]), len(parts[1])
    candidates, labelled = np.arange(n_pool), np.arange(n_pool, n_pool + n_L)
    return oracles.published_greedy(V, n, candidates, labelled, weights=weights)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("target", "shares"), TARGETS.values(), ids=TARGETS)
def test_class_shares(fitted, strategy, target, shares):
    clf, X = fitted
    pool, labelled = X[12:60], X[:12]
    found = STRATEGIES[strategy](target=target).select(clf, pool, 6, X_labelled=labelled)
    w = np.concatenate([target_weights(clf.predict_proba(pool).astype(float), shares), [0] * 12])
    assert found.indices.tolist() == expected(clf, (pool, labelled), w)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_labelled", [0, 12])
@pytest.mark.parametrize("as_list", [True, False])
def test_samples(fitted, strategy, n_labelled, as_list):
    clf, X = fitted
    pool, labelled, aim = X[12:60], X[:n_labelled], X[60:]
    given = list(aim) if as_list else aim
    found = STRATEGIES[strategy]().select(clf, pool, 6, X_labelled=labelled, X_target=given)
    w = np.concatenate([np.zeros(48 + n_labelled), np.ones(10)])
    assert found.indices.tolist() == expected(clf, (pool, labelled, aim), w)


def test_the_whole_pool_as_samples_is_the_pool(fitted):
    clf, X = fitted
    for make in STRATEGIES.values():
        found = make().select(clf, X[12:], 6)
        aimed = make().select(clf, X[12:], 6, X_target=X[12:])
        np.testing.assert_array_equal(found.indices, aimed.indices)
        np.testing.assert_allclose(found.gains, aimed.gains)


def test_a_subset_of_the_pool_is_balanced_over_itself(fitted):
    clf, X = fitted
    strategy = FisherMask(mask="head", subset=20, target="balanced", random_state=0)
    found = strategy.select(clf, X[12:], 5)
    from skactive.strategies.base._subset import some_positions

    part = some_positions(58, 20, strategy._draws()[0])
    w = target_weights(clf.predict_proba(X[12:][part]).astype(float))
    assert found.indices.tolist() == part[expected(clf, (X[12:][part], X[:0]), w, 5)].tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_learners_query(fitted, strategy):
    clf, X = fitted
    learner = ActiveLearner(clf, query_strategy=STRATEGIES[strategy]())
    picks = learner.query(X[12:60], n_instances=4, X_target=X[60:])[0]
    direct = STRATEGIES[strategy]().select(clf, X[12:60], 4, X_target=X[60:])
    np.testing.assert_array_equal(picks, direct.indices)


def test_two_stages_aim_too(fitted):
    clf, X = fitted
    one = FisherMask(mask="head", random_state=0).choose_mask(clf, X[:60])
    of_one = head_factors(clf.module_, torch.as_tensor(X[:1]))
    room = matrix_bytes(len(one)) + 20 * sample_bytes(of_one)
    strategy = FisherMask(mask="head", max_memory=float(room), random_state=0)
    with pytest.warns(TwoStageWarning, match="3 random blocks"):
        found = strategy.select(clf, X[:60], 4, X_target=X[60:])
    assert len(set(found.indices)) == 4
    V = oracles.naive_rows(clf.module_, torch.as_tensor(X))[:, :, -len(one) :].numpy()
    w = np.concatenate([np.zeros(60), np.ones(10)])
    I_T, M, V = oracles.information(V, np.arange(60), np.arange(0), 4, 1.0, w)
    W, gains = np.linalg.inv(M), []  # each pick's gain is that of the target's objective
    for pick in found.indices:
        gains.append(oracles.gains_given(W, I_T, V[[pick]])[0])
        W = oracles.woodbury(W, V[pick])
    np.testing.assert_allclose(found.gains, gains)


class Constant(torch.nn.Module):
    """Never predicts class 1."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 3)
        with torch.no_grad():
            self.fc.bias[1] = -1e4

    def forward(self, x):
        return self.fc(x)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_class_that_nothing_is_predicted_as(strategy):
    from skorch import NeuralNetClassifier

    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    criterion = torch.nn.CrossEntropyLoss
    net = NeuralNetClassifier(
        Constant, criterion=criterion, train_split=None, lr=0, max_epochs=1, verbose=0
    )
    net.fit(X, np.arange(30) % 3)
    with pytest.warns(EmptyClassWarning, match="class 1, counted from 0"):
        found = STRATEGIES[strategy](target="balanced").select(net, X, 5)
    assert len(set(found.indices)) == 5


BAD = {
    "word": ("even", "'target' parameter of (BAIT|FisherMask).*'even'"),
    "unknown class": ({"a": 1, "d": 2}, "'target'.*some of the 3 classes.*does not know 'd'"),
    "series by position": (pd.Series([0.5, 0.2, 0.3]), "'target'.*does not know 0"),
    "too few": ([0.5, 0.5], "'target'.*shares of the 3 classes"),
    "negative": ([-1, 1, 1], "'target'.*at least 0"),
    "zeros": ([0, 0, 0], "'target'.*not all of them 0"),
    "nan": ([np.nan, 1, 1], "'target'.*finite"),
    "words": (["x", "y", "z"], "'target'.*finite numbers"),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("target", "message"), BAD.values(), ids=BAD)
def test_messages(fitted, strategy, target, message):
    clf, X = fitted
    with pytest.raises(ValueError, match=message):
        STRATEGIES[strategy](target=target).select(clf, X, 2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_messages_for_samples(fitted, strategy):
    clf, X = fitted
    with pytest.raises(ValueError, match="'target'.*'pool', the default, where X_target is given"):
        STRATEGIES[strategy](target="balanced").select(clf, X, 2, X_target=X)
    with pytest.raises(ValueError, match="'X_target'.*at least one sample"):
        STRATEGIES[strategy]().select(clf, X, 2, X_target=X[:0])
    bad = X[:2].copy()
    bad[1, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="X_target"):
        STRATEGIES[strategy]().select(clf, X, 2, X_target=bad)


@pytest.mark.parametrize("strategy", [Entropy(), CoreSet(), Subsample(BAIT(), n=5)], ids=str)
def test_strategies_that_do_not_aim_say_so(fitted, strategy):
    clf, X = fitted
    with pytest.raises(
        ValueError, match="'X_target'.*None for a strategy.*Use BAIT, EPIG or FisherMask"
    ):
        strategy.select(clf, X, 2, X_target=X)
