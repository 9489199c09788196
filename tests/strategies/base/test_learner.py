"""What is opened inside learners, and estimators that are none of ours."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skactive as ska
from skactive.exceptions import UnsupportedEstimatorError
from skactive.fisher import greedy_fisher, head_factors
from skactive.strategies.base._learner import members_of, open_learner

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 5)), np.arange(60) % 3
X[:, 0] += 2 * Y
LABELLED, POOL = slice(0, 20), X[20:]


class LinearHead:
    """A user's own linear classifier of features: it inherits from nothing."""

    def __init__(self):
        self.module_ = torch.nn.Linear(5, 3).double()
        self.classes_ = np.array(["a", "b", "c"])

    def check_samples(self, X):
        return np.asarray(X, dtype=np.float64) * 2  # its own way to prepare


class Losses(LinearHead):
    """A user's own predictor of losses."""

    def predict_loss(self, X):
        return np.abs(np.asarray(X)).sum(1)


NETWORK = [
    ska.Entropy(),
    ska.BADGE(random_state=0),
    ska.BAIT(),
    ska.FisherMask(mask="head", random_state=0),
    ska.FisherMask(random_state=0),
    ska.LPLGrad(random_state=0),
    ska.ExpectedGradientLength(random_state=0),
    ska.CoreSet(random_state=0),
    ska.KMeansSampling(random_state=0),
    ska.Hybrid([ska.Margin(), ska.BADGE()], random_state=0),
]


@pytest.mark.parametrize("strategy", NETWORK, ids=repr)
def test_a_users_linear_head_is_as_good_as_ours(strategy):
    torch.manual_seed(0)
    head = LinearHead()
    found = strategy.select(head, POOL, 5, X_labelled=X[LABELLED], y_labelled=Y[LABELLED])
    assert len(set(found.indices.tolist())) == 5
    if isinstance(strategy, ska.Entropy):
        with torch.no_grad():
            p = head.module_(torch.as_tensor(2 * POOL)).softmax(1)
        np.testing.assert_allclose(found.utilities, torch.special.entr(p).sum(1), rtol=1e-10)
    if isinstance(strategy, ska.BAIT):
        inputs = torch.as_tensor(2 * np.concatenate([POOL, X[LABELLED]]))
        expected = greedy_fisher(
            head_factors(head.module_, inputs),
            5,
            candidates=np.arange(40),
            labelled=np.arange(40, 60),
            oversample=2.0,
        )
        np.testing.assert_array_equal(found.indices, expected.indices)


def test_a_users_predictor_of_losses():
    found = ska.LearningLoss(random_state=0).select(Losses(), POOL, 4)
    # what it predicts for is what its own check_samples made
    np.testing.assert_allclose(found.utilities, 2 * np.abs(POOL).sum(1))


def test_every_wrapping():
    head = LinearHead()
    half = FunctionTransformer(lambda X: X / 2)
    wrapped = {
        "ActiveLearner": ActiveLearner(head),
        "Pipeline": make_pipeline(half, head),
        "Pipelines in each other": make_pipeline(half, make_pipeline(half, head)),
        "learner of a Pipeline": ActiveLearner(make_pipeline(half, head)),
    }
    factors = {name: name.count("Pipeline") for name in wrapped}
    factors["Pipelines in each other"] = 2
    for name, given in wrapped.items():
        opened = open_learner(given, "Margin")
        assert opened.estimator is head
        assert open_learner(opened, "Margin") is opened
        np.testing.assert_allclose(opened.transform(POOL), POOL / 2 ** factors[name])
    assert members_of(head) is None


def test_several_are_not_one():
    assert members_of(Committee([ActiveLearner(LinearHead())] * 2)) is not None
    with pytest.raises(UnsupportedEstimatorError, match="BADGE reads one network .* of 2"):
        open_learner([LinearHead(), LinearHead()], "BADGE")


# Embeddings in the loop ---------------------------------------------------------------------

VECTORS = RNG.normal(size=(60, 4))
OF_OTHERS = [
    ska.CoreSet(random_state=0),
    ska.Subsample(ska.CoreSet(), n=30, random_state=0),
    ska.Switch([(ska.Random(), 5), (ska.TypiClust(), None)], random_state=0),
    ska.Hybrid([ska.KMeansSampling(), ska.ProbCover(n_clusters=3)], random_state=0),
]


@pytest.mark.parametrize("strategy", OF_OTHERS, ids=repr)
def test_embeddings_reach_the_members_of_a_composition(strategy):
    """scikit-activeml PR #376, lightly #801, small-text #12."""
    rows = {"embeddings": VECTORS[20:], "embeddings_labelled": VECTORS[LABELLED]}
    images = RNG.integers(0, 255, (60, 2, 2), dtype=np.uint8)  # of which nothing is to be read
    found = strategy.select(
        None, images[20:], 6, X_labelled=images[LABELLED], y_labelled=Y[LABELLED], **rows
    )
    expected = strategy.select(
        None, VECTORS[20:], 6, X_labelled=VECTORS[LABELLED], y_labelled=Y[LABELLED], **rows
    )
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert len(set(found.indices.tolist())) == 6
    with pytest.raises(ValueError, match=r"'embeddings' .* shape \(40, D\), a row for each sample"):
        strategy.select(None, images[20:], 6, embeddings=VECTORS)


def test_embeddings_through_a_learner():
    images = RNG.integers(0, 255, (60, 2, 2), dtype=np.uint8)
    clf = ska.CNNClassifier("small_cnn", max_epochs=1, random_state=0)
    learner = ActiveLearner(clf, ska.CoreSet(random_state=0), images[LABELLED], Y[LABELLED])
    rows = {"embeddings": VECTORS[20:], "embeddings_labelled": VECTORS[LABELLED]}
    found, _ = learner.query(images[20:], n_instances=4, **rows)
    expected = ska.CoreSet(random_state=0).select(
        None, images[20:], 4, X_labelled=images[LABELLED], **rows
    )
    np.testing.assert_array_equal(found, expected.indices)
    learner.query_strategy = ska.Margin()
    with_rows, _ = learner.query(images[20:], n_instances=4, **rows)
    without, _ = learner.query(images[20:], n_instances=4)
    np.testing.assert_array_equal(with_rows, without)  # it reads none
