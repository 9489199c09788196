"""EPIG against joint tables that are written out, over several estimators and over MC dropout."""

from math import log

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner

from skactive import EPIG, CNNClassifier
from skactive.selection import _predictive_information, predictive_information
from skactive.strategies.base._monte_carlo import MonteCarloUtility
from tests.selection.memory import peak_of
from tests.strategies.stubs import Fixed, distributions
from tests.test_common import X_TRAIN, Y_TRAIN, Tiny

RNG = np.random.default_rng(0)


def by_tables(p, q):
    """The mean over targets of the mutual information, from each table, entry by entry."""
    values = []
    for x in p:
        total = 0.0
        for target in q:
            table = sum(np.outer(a, b) for a, b in zip(x, target, strict=True)) / len(x)
            rows, columns = table.sum(1), table.sum(0)
            for i, row in enumerate(table):
                for j, cell in enumerate(row):
                    total += cell * log(cell / (rows[i] * columns[j])) if cell > 0 else 0
        values.append(total / len(q))
    return np.array(values)


@pytest.mark.parametrize(("T", "C", "K"), [(2, 2, 2), (5, 3, 4), (12, 7, 7)])
@pytest.mark.parametrize("block", [2**20, 60])
def test_values_are_those_of_the_tables(T, C, K, block, monkeypatch):
    monkeypatch.setattr(_predictive_information, "_BLOCK", block)
    p, q = distributions(9, T, C), distributions(6, T, K, seed=1)
    found = predictive_information(np.log(p), np.log(q))
    np.testing.assert_allclose(found, by_tables(p, q), rtol=1e-10, atol=1e-15)
    with torch.no_grad():
        in_torch = predictive_information(torch.as_tensor(np.log(p)).float(), np.log(q))
    np.testing.assert_allclose(in_torch, found, rtol=1e-3, atol=1e-6)


def test_limits():
    certain = np.eye(4)[:, None][:, [0] * 4]  # each draw the same: no draw tells of another
    disagree = np.eye(4)[None]  # draw t is sure of class t
    with np.errstate(divide="ignore"):
        p, q = np.log(np.concatenate([certain, disagree])), np.log(disagree)
    found = predictive_information(p, q)
    np.testing.assert_array_equal(found[:4], 0)
    assert found[4] == pytest.approx(log(4), rel=1e-14)
    agree = np.repeat(distributions(3, 1, 5), 6, axis=1)
    independent = predictive_information(np.log(agree), np.log(distributions(4, 6, 5)))
    assert (independent <= np.finfo(float).eps).all()  # a rounding of the cells, which sum to 1


def test_several_estimators_and_targets():
    p, q = distributions(20, 3), distributions(8, 3, seed=1)
    members = [Fixed(t) for t in range(3)]
    found = EPIG().select(members, p, 4, X_target=q)
    expected = by_tables(p, q)
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-10)
    assert found.indices.tolist() == np.argsort(-expected)[:4].tolist()
    of_the_pool = EPIG(n_targets=None).select(members, p, 4)
    np.testing.assert_allclose(of_the_pool.utilities, by_tables(p, p), rtol=1e-10)
    drawn = EPIG(n_targets=5, random_state=2).select(members, p, 4).utilities
    _, other = np.random.SeedSequence(2).spawn(2)
    some = np.random.default_rng(other).choice(20, 5, replace=False)
    np.testing.assert_allclose(drawn, by_tables(p, p[some]), rtol=1e-10)


class Draws(MonteCarloUtility):
    """Keeps the draws."""

    def _utilities(self, log_p):
        self.kept.append(np.exp(log_p).swapaxes(0, 1))
        return log_p[0, :, 0]


def test_mc_dropout_has_the_same_masks_for_samples_and_targets():
    X = RNG.random((60, 6))
    y = (3 * X[:, 0]).astype(int)
    clf = CNNClassifier(max_epochs=30, random_state=0, module_params={"dropout": 0.5})
    clf.fit(X[:30], y[:30])
    draws = Draws(n_passes=7, random_state=5)
    draws.kept = []
    draws.select(clf, X[30:], 1)
    p = np.concatenate(draws.kept)
    settings = {"n_passes": 7, "batch_size": 8, "random_state": 5}
    found = EPIG(n_targets=None, **settings).select(clf, X[30:50], 3, X_target=X[50:])
    expected = by_tables(p[:20], p[20:])
    assert expected.max() > 1e-4
    np.testing.assert_allclose(found.utilities, expected, rtol=1e-4, atol=1e-9)
    learner = ActiveLearner(clf, query_strategy=EPIG(n_targets=None, **settings))
    indices, _ = learner.query(X[30:50], n_instances=3, X_target=X[50:])
    assert indices.tolist() == found.indices.tolist()


def test_targets_that_cannot_be_used_are_named():
    images = (X_TRAIN / 255).astype(np.float32)
    clf = CNNClassifier(Tiny, max_epochs=1, random_state=0).fit(images, Y_TRAIN)
    broken = images[:6].copy()
    broken[4, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X_target of EPIG contains .* first in sample 4"):
        EPIG(n_targets=None, n_passes=2).select(clf, images, 3, X_target=broken)


@pytest.mark.slow
def test_memory_does_not_grow_with_samples_times_targets_times_tables():
    setup = (
        "p = np.log(np.random.default_rng(0).dirichlet(np.ones(20), (600, 4)))\n"
        "q = p[:500].copy(); predictive_information(p[:3], q[:3])"
    )
    assert peak_of(setup, "predictive_information(p, q)") < 100  # all tables together: 0.96 GB


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"log_probs": np.ones((2, 3, 4))}, "'log_probs' parameter of predictive_information"),
        ({"log_probs_target": np.ones((2, 3, 4))}, "'log_probs_target' parameter of predictive"),
        ({"log_probs_target": np.zeros((2, 5, 1))}, "with as many draws as log_probs"),
    ],
)
def test_wrong_arguments(given, match):
    good = np.log(distributions(2, 3, 4))
    with pytest.raises(ValueError, match=match):
        predictive_information(**{"log_probs": good, "log_probs_target": good, **given})
    with pytest.raises(ValueError, match="'n_targets' parameter of EPIG"):
        EPIG(n_targets=0).select([Fixed(0), Fixed(1)], distributions(3, 2), 1)
