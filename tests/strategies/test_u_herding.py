"""UHerding against its objective on all kernels, and its two adaptations."""

import enum
import signal
import threading
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn

from skactive import CNNClassifier, MaxHerding, UHerding, _generators
from skactive.strategies.base import _temperature
from skactive.strategies.base._temperature import (
    TEMPERATURES,
    at_temperature,
    calibration_error,
    held_out_temperature,
)
from tests.selection.test_herding import check, naive
from tests.strategies import oracles
from tests.strategies.test_max_herding import LABELLED, POOL, X, Y, normalized, same

Y_LABELLED = Y[:40]
CLF = LogisticRegression(C=1e-3, max_iter=500).fit(X[:40], Y[:40])


def chosen(n=20, estimator=CLF, pool=POOL, **params):
    query = UHerding(**{"embeddings": same, "random_state": 0, **params})
    return query.select(estimator, pool, n, X_labelled=LABELLED, y_labelled=Y_LABELLED)


def spacings(rows):
    distances = np.linalg.norm(rows[:, None] - rows, axis=2) + np.diag([np.inf] * len(rows))
    return distances.min(1)


@pytest.mark.parametrize("uncertainty", ["margin", "entropy", "least_confidence"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_picks_are_those_of_the_objective(uncertainty, temperature):
    p = CLF.predict_proba(POOL) ** (1 / temperature)
    p /= p.sum(1, keepdims=True)
    weights = np.array([getattr(oracles, uncertainty)(row) for row in p])
    sigma = np.quantile(spacings(normalized(LABELLED)), 0.1)
    found = chosen(uncertainty=uncertainty, temperature=temperature)
    expected = naive(normalized(POOL), 20, sigma, normalized(LABELLED), weights)
    assert check(found, expected, rtol=1e-6) > 10
    assert found.utilities is None


def test_the_published_width_is_the_smallest_distance():
    sigma = spacings(normalized(LABELLED)).min()
    found = chosen(temperature=1.0, quantile=0.0)
    assert found.indices.tolist() == chosen(temperature=1.0, sigma=sigma).indices.tolist()


def test_copies_among_the_labelled_samples_do_not_tell_the_width():
    """With one pair that is nearly equal the minimum collapses, and the quantile does not."""
    near = np.concatenate([LABELLED, LABELLED[:1] + 1e-4])
    query = UHerding(embeddings=same, temperature=1.0)
    assert query._sigma(torch.as_tensor(normalized(near))) > 0.2
    assert query.set_params(quantile=0)._sigma(torch.as_tensor(normalized(near))) < 1e-4
    copies = torch.as_tensor(normalized(np.repeat(LABELLED[:3], 5, axis=0)))
    assert query._sigma(copies) == 1.0  # they are equal, all of them


def test_without_labels_it_is_max_herding():
    expected = MaxHerding(embeddings=same).select(None, POOL, 9).indices.tolist()
    for none in (None, LABELLED[:0]):
        found = UHerding(embeddings=same).select(None, POOL, 9, X_labelled=none)
        assert found.indices.tolist() == expected


def test_one_pass_of_the_network_is_as_good_as_two():
    clf = CNNClassifier(max_epochs=2, random_state=0, classes=range(10)).fit(LABELLED, Y_LABELLED)
    head = [m for m in clf.module_.modules() if isinstance(m, nn.Linear)][-1]

    def embed(X):
        read = []
        hook = head.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        clf.predict_proba(X)
        hook.remove()
        return torch.cat(read)

    two = chosen(estimator=clf, embeddings=embed, temperature=1.0)
    one = chosen(estimator=clf, embeddings=None, temperature=1.0)
    assert one.indices.tolist() == two.indices.tolist()


def test_members_are_averaged_where_embeddings_come_from_elsewhere():
    others = [LogisticRegression(C=c, max_iter=500).fit(X[:40], Y[:40]) for c in (0.01, 1e-4)]

    class Mean(LogisticRegression):
        def predict_proba(self, X):
            return (others[0].predict_proba(X) + others[1].predict_proba(X)) / 2

    mean = Mean(C=1e-4).fit(X[:40], Y[:40])
    found = chosen(estimator=others, temperature=1.0).indices.tolist()
    assert found == chosen(estimator=mean, temperature=1.0).indices.tolist()


# -- calibration -------------------------------------------------------------------------------


def test_calibration_error():
    p = np.array([[0.9, 0.1], [0.92, 0.08], [0.3, 0.7], [0.45, 0.55], [1.0, 0.0]])
    y = np.array([0, 1, 1, -1, 0])
    expected, edges = 0.0, np.linspace(0, 1, 16)
    for low, high in pairwise(edges):
        inside = (low <= p.max(1)) & ((p.max(1) < high) | (high == 1))
        if inside.any():
            accuracy = (p.argmax(1) == y)[inside].mean()
            expected += inside.mean() * abs(accuracy - p.max(1)[inside].mean())
    with np.errstate(divide="ignore"):
        log_p = np.log(p)
    assert calibration_error(log_p, y) == pytest.approx(expected)
    np.testing.assert_allclose(np.exp(at_temperature(log_p, 1.0)), p, atol=1e-15)


def plain_held_out(seed, n=40):
    """The same, by scikit-learn alone."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(n)
    held, kept = np.sort(order[: n // 5]), np.sort(order[n // 5 :])
    fresh = LogisticRegression(C=1e-3, max_iter=500).fit(X[kept], Y[kept])
    z = fresh.decision_function(X[held])
    errors = []
    for t in TEMPERATURES:
        p = np.exp(z / t - (z / t).max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        columns = np.array([np.flatnonzero(fresh.classes_ == label)[0] for label in Y[held]])
        errors.append(calibration_error(np.log(p), columns))
    return TEMPERATURES[int(np.argmin(errors))]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_temperature_is_that_of_labels_that_a_copy_has_not_seen(seed):
    draw = np.random.default_rng(seed)
    found = held_out_temperature(CLF, LABELLED, Y_LABELLED, 7, draw, "UHerding")
    assert found == pytest.approx(plain_held_out(seed))


def test_it_is_found_in_pipelines_and_for_named_classes():
    names = np.array([f"class {label}" for label in Y_LABELLED])
    steps = make_pipeline(
        FunctionTransformer(lambda X: X * 1.0), LogisticRegression(C=1e-3, max_iter=500)
    )
    clf = steps.fit(LABELLED, names)
    for y in (names, names.tolist()):
        draw = np.random.default_rng(0)
        found = held_out_temperature(clf, LABELLED, y, 256, draw, "UHerding")
        assert found == pytest.approx(plain_held_out(0))


def test_a_class_that_only_the_held_out_labels_have_counts_as_wrong():
    y = np.where(np.arange(40) == np.random.default_rng(0).permutation(40)[0], 99, Y_LABELLED)
    draw = np.random.default_rng(0)
    clf = LogisticRegression(C=1e-3, max_iter=500).fit(LABELLED, y)
    assert held_out_temperature(clf, LABELLED, y, 256, draw, "UHerding") in TEMPERATURES


def test_few_labels_no_labels_and_given_temperatures_fit_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(_temperature, "fitted_clone", lambda *given: asked.append(given))
    nine = {"X_labelled": LABELLED[:9], "y_labelled": Y_LABELLED[:9]}
    UHerding(embeddings=same).select(CLF, POOL, 3, **nine)
    UHerding(embeddings=same).select(CLF, POOL, 3, X_labelled=LABELLED)
    chosen(temperature=2.0)
    assert asked == []


def test_labels_of_one_class_tell_no_temperature():
    """Nor do those of which the one other label is held out."""
    y = np.zeros(40, dtype=int)
    y[np.random.default_rng(0).permutation(40)[0]] = 1
    clf = LogisticRegression(max_iter=500).fit(LABELLED, y)
    for labels in (y, np.zeros(40)):
        found = held_out_temperature(clf, LABELLED, labels, 256, np.random.default_rng(0), "it")
        assert found == 1


def test_several_estimators_have_no_copy_to_hold_out():
    for n in (5, 40):  # from the first round on, not where labels begin to suffice
        given = {"X_labelled": LABELLED[:n], "y_labelled": Y_LABELLED[:n]}
        with pytest.raises(ValueError, match=r"'temperature'.*a number for several.*1\.0 leaves"):
            UHerding(embeddings=same).select([CLF, CLF], POOL, 3, **given)


@pytest.mark.parametrize(
    "clf",
    [CNNClassifier(max_epochs=1, classes=range(10)), ExtraTreesClassifier(5, max_depth=3)],
    ids=["network", "trees"],
)
def test_a_copy_without_a_seed_is_seeded(clf):
    clf = clf.fit(LABELLED, Y_LABELLED)
    query = UHerding(random_state=0)
    found = [query._temperature(clf, LABELLED, Y_LABELLED) for _ in range(4)]
    assert len(set(found)) == 1


def test_fits_in_other_threads_need_not_wait():
    """The copy's training does not hold the process-wide generators, for which they take turns."""

    class Elsewhere(LogisticRegression):
        def fit(self, X, y):
            thread = threading.Thread(target=take)
            thread.start()
            thread.join()
            return super().fit(X, y)

    def take():
        got.append(_generators._TURNS.take(wait=False))
        if got[-1]:
            _generators._TURNS.leave()

    got = []
    clf = Elsewhere(C=1e-3, max_iter=500).fit(LABELLED, Y_LABELLED)
    held_out_temperature(clf, LABELLED, Y_LABELLED, 7, np.random.default_rng(0), "UHerding")
    assert got == [True, True]


@pytest.mark.parametrize("kind", [lambda y: y[:, None], pd.DataFrame, pd.Series, torch.as_tensor])
def test_labels_are_read_as_fit_reads_them(kind):
    labels = kind(Y_LABELLED)
    found = held_out_temperature(CLF, LABELLED, labels, 7, np.random.default_rng(0), "UHerding")
    assert found == pytest.approx(plain_held_out(0))


def test_members_of_an_enum_keep_their_classes():
    text = enum.Enum("Text", {f"c{i}": str(i) for i in range(10)}, type=str)
    members = [text[f"c{label}"] for label in Y_LABELLED]
    clf = LogisticRegression(C=1e-3, max_iter=500).fit(LABELLED, Y_LABELLED.astype(str))
    found = held_out_temperature(clf, LABELLED, members, 7, np.random.default_rng(0), "UHerding")
    assert found == pytest.approx(plain_held_out(0))


def test_ctrl_c_comes_out_of_a_plain_skorch_net():
    class Pressed(nn.Linear):
        def forward(self, X):
            if self.training and press:
                signal.raise_signal(signal.SIGINT)
            return super().forward(X)

    press = False
    net = NeuralNetClassifier(Pressed, module__in_features=64, module__out_features=10, verbose=0)
    net.set_params(criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=1)
    labelled = LABELLED.astype(np.float32)
    net.fit(labelled, Y_LABELLED)
    press = True
    with pytest.raises(KeyboardInterrupt):
        UHerding().select(net, labelled, 5, X_labelled=labelled, y_labelled=Y_LABELLED)


def test_global_generators_stay_with_a_plain_skorch_net():
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(64, 10)),
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        verbose=0,
        max_epochs=1,
    )
    labelled = LABELLED.astype(np.float32)
    net.fit(labelled, Y_LABELLED)
    before = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    given = {"X_labelled": labelled, "y_labelled": Y_LABELLED}
    query = UHerding(random_state=0)
    picks = [query.select(net, POOL.astype("f"), 5, **given).indices.tolist() for _ in range(2)]
    assert picks[0] == picks[1]
    assert (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize(
    "params", [{"temperature": 0}, {"temperature": "cold"}, {"sigma": 0}, {"quantile": 1.1}]
)
def test_parameters_are_checked(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of UHerding"):
        chosen(**params)
