"""BALD against its definition, over several estimators and over MC dropout."""

from math import log

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from skactive import BALD, CNNClassifier, Entropy, MeanEntropy, PredictiveEntropy
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base import _monte_carlo
from tests.strategies import oracles
from tests.strategies.stubs import Fixed, distributions

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 6)), np.arange(40) % 3


def oracle(draws):
    """I of one sample, from T distributions."""
    mean = [sum(column) / len(draws) for column in zip(*draws, strict=True)]
    return oracles.entropy(mean) - sum(map(oracles.entropy, draws)) / len(draws)


@pytest.mark.parametrize(("T", "C"), [(2, 2), (5, 3), (20, 30)])
def test_several_estimators(T, C):
    p = distributions(15, T, C)
    members = [Fixed(t, range(C)) for t in range(T)]
    selection = BALD().select(members, p, 4)
    expected = [oracle(draws.tolist()) for draws in p]
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-10, atol=1e-14)
    assert selection.indices.tolist() == np.argsort(expected)[::-1][:4].tolist()


def test_several_estimators_are_read_part_by_part(monkeypatch):
    monkeypatch.setattr(_monte_carlo, "_AT_ONCE", 8)
    sizes = []

    class Spy(Fixed):
        def predict_proba(self, X):
            sizes.append((self.t, len(X)))
            return super().predict_proba(X)

    p = distributions(20, 2)
    selection = BALD(batch_size=5).select([Spy(0), Spy(1)], p, 3)
    # eight samples at once, five of them in a batch, by the one and by the other
    of_eight = [(0, 5), (0, 3), (1, 5), (1, 3)]
    assert sizes == [*of_eight, *of_eight, (0, 4), (1, 4)]
    expected = [oracle(draws.tolist()) for draws in p]
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-10, atol=1e-14)
    p[14, 1] = np.nan
    match = r"Spy queried by BALD predicts NaN or infinity, first for sample 14 of the pool"
    with pytest.raises(ValueError, match=match):
        BALD(batch_size=5).select([Spy(0), Spy(1)], p, 3)


def test_extremes():
    with np.errstate(divide="ignore"):
        agree = np.log(np.full((4, 1, 3), 1 / 3))
        certain = np.log(np.eye(3)[[0, 0, 1, 1]])[:, None]
    assert BALD()._utilities(agree)[0] == 0
    assert BALD()._utilities(certain)[0] == pytest.approx(log(2))


def test_keeps_its_digits_where_the_draws_are_nearly_certain():
    # p = (1 − a, a) and (1 − b, b): I is the mean of x log(x/m) over a, b, up to terms of O(a²)
    a, b = 1e-20, 3e-20
    log_p = np.array([[[-a, np.log(a)]], [[-b, np.log(b)]]])
    m = (a + b) / 2
    assert BALD()._utilities(log_p)[0] == pytest.approx((a * log(a / m) + b * log(b / m)) / 2)


def net_of(*layers):
    torch.manual_seed(0)
    return NeuralNetClassifier(
        nn.Sequential(*layers), criterion=nn.CrossEntropyLoss, classes=[0, 1, 2], train_split=None
    ).initialize()


def test_mc_dropout_approaches_the_mean_over_all_masks():
    net = net_of(nn.Linear(6, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 3))
    net.module_.double()
    with torch.no_grad():
        hidden = net.module_[:2](torch.as_tensor(X))
        masks = torch.cartesian_prod(*[torch.tensor([0.0, 2.0], dtype=torch.float64)] * 3)
        exact = net.module_[3](hidden[:, None] * masks).softmax(2).numpy()  # (N, 8, 3)
    expected = np.array([oracle(draws.tolist()) for draws in exact])
    found = BALD(n_passes=4000, random_state=0).select(net, X, 1).utilities
    assert np.corrcoef(found, expected)[0, 1] > 0.99
    np.testing.assert_allclose(found, expected, rtol=0.2)


def test_bald_is_the_difference_of_the_entropies():
    clf = CNNClassifier(max_epochs=3, random_state=0, module_params={"dropout": 0.4})
    clf.fit(X[:20], Y[:20])
    found = [
        kind(n_passes=7, random_state=3).select(clf, X, 2).utilities
        for kind in (BALD, PredictiveEntropy, MeanEntropy)
    ]
    np.testing.assert_allclose(found[0], found[1] - found[2], atol=1e-12)
    assert found[0].min() >= 0
    assert found[0].max() > 1e-6


def test_batches_do_not_matter():
    clf = CNNClassifier(max_epochs=2, random_state=0, module_params={"dropout": 0.4})
    clf.fit(X[:20], Y[:20])
    found = [
        BALD(n_passes=4, batch_size=size, random_state=0).select(clf, X, 2).utilities
        for size in (3, 256)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    draws = [
        BALD(n_passes=4, random_state=s).select(clf, X, 2).utilities.tolist() for s in (0, 1, None)
    ]
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_committees_and_lists_are_the_same():
    members = [
        CNNClassifier(max_epochs=2, random_state=0).fit(X[:20], Y[:20]),
        LogisticRegression().fit(X[:20], Y[:20]),
        RandomForestClassifier(5, random_state=0).fit(X[:20], Y[:20]),
    ]
    committee = Committee([ActiveLearner(member) for member in members], query_strategy=BALD())
    selection = BALD().select(committee, X, 5)
    p = np.zeros((40, 3, 3))
    for t, member in enumerate(members):
        p[:, t, member.classes_] = member.predict_proba(X)
    expected = [oracle(draws.tolist()) for draws in p]
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(BALD().select(members, X, 5).utilities, selection.utilities)
    np.testing.assert_array_equal(committee.query(X, n_instances=5)[0], selection.indices)
    mean = Entropy().select(members, X, 5).utilities  # lists serve the others, too
    np.testing.assert_allclose(mean, [oracles.entropy(q) for q in p.mean(1)], rtol=1e-6)


def test_ensembles_of_scikit_learn_are_asked_for_their_members():
    one = LogisticRegression()
    ensembles = [
        VotingClassifier([("a", one), ("b", LogisticRegression(C=0.1))], voting="soft"),
        BaggingClassifier(one, n_estimators=3, random_state=0),
        RandomForestClassifier(5, random_state=0),
    ]
    for given in ensembles:
        fitted = given.fit(X, Y)
        match = rf"BALD compares.*a {type(given).__name__} predicts.*list of its .* estimators_\.$"
        with pytest.raises(UnsupportedEstimatorError, match=match):
            BALD().select(fitted, X, 3)
        assert BALD().select(list(fitted.estimators_), X, 3).indices.shape == (3,)
    behind = make_pipeline(StandardScaler(), ensembles[0]).fit(X, Y)
    with pytest.raises(UnsupportedEstimatorError, match=r"each in a Pipeline behind the same"):
        BALD().select(behind, X, 3)


def test_too_few_estimators():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="'estimator' .* two estimators or more. Got 1 of them"):
        BALD().select([forest], X, 3)
    with pytest.raises(ValueError, match="'estimator' parameter of Entropy .* at least one fitted"):
        Entropy().select([], X, 3)
    with pytest.raises(UnsupportedEstimatorError, match="BALD compares .* a RandomForest"):
        BALD().select(forest, X, 3)


def test_parameters():
    with pytest.raises(ValueError, match="'n_passes' parameter of BALD"):
        BALD(n_passes=1).select([Fixed(0), Fixed(1)], distributions(4, 2), 1)
    with pytest.raises(ValueError, match="'device' parameter of"):
        BALD(device="gpu").select([Fixed(0), Fixed(1)], distributions(4, 2), 1)
