"""A strategy of a user's own that reads probabilities: three lines, on all that a pool may be."""

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import TensorDataset

from skactive import (
    BADGE,
    BALD,
    CNNClassifier,
    Entropy,
    FisherMask,
    ImageReader,
    LPLGrad,
    Margin,
    ProbabilityStrategy,
    Subsample,
    UHerding,
)
from skactive.exceptions import UnreadableFileWarning, UnsupportedEstimatorError
from tests.strategies.stubs import Fixed

X, y = load_digits(return_X_y=True)
IMAGES = (X * 15).astype(np.uint8).reshape(-1, 8, 8)


class Gini(ProbabilityStrategy):
    def _utilities(self, log_p):
        return 1 - np.exp(2 * log_p).sum(axis=1)


def gini(p):
    return [1 - sum(q**2 for q in row) for row in p]


@pytest.fixture(scope="module")
def clf():
    return CNNClassifier(classes=range(10), max_epochs=3, random_state=0).fit(IMAGES[:80], y[:80])


def test_it_chooses_what_its_utilities_say(clf):
    pool = IMAGES[80:200]
    selection = Gini().select(clf, pool, 7)
    expected = np.array(gini(clf.predict_proba(pool)))
    np.testing.assert_allclose(selection.utilities, expected, rtol=1e-4)
    assert selection.indices.tolist() == np.argsort(-selection.utilities)[:7].tolist()


def test_a_dataset_and_a_part_of_it(clf):
    pool = IMAGES[80:200]
    dataset = TensorDataset(torch.from_numpy(pool))
    whole = Gini().select(clf, dataset, 5)
    np.testing.assert_array_equal(whole.indices, Gini().select(clf, pool, 5).indices)
    part = Subsample(Gini(), n=40, random_state=0).select(clf, dataset, 5)
    scored = ~np.isnan(part.utilities)
    assert scored.sum() == 40
    np.testing.assert_allclose(part.utilities[scored], whole.utilities[scored], rtol=1e-5)


def test_files_some_of_which_cannot_be_read(tmp_path):
    for i, image in enumerate(IMAGES[:60]):
        Image.fromarray(image).save(tmp_path / f"{i:02}.png")
    (tmp_path / "30.png").write_text("no image")
    paths = sorted(tmp_path.glob("*.png"))
    reader = ImageReader(mode="L", errors="skip")
    net = make_pipeline(reader, CNNClassifier(classes=range(10), max_epochs=2, random_state=0))
    net.fit(paths[:20], y[:20])
    with pytest.warns(UnreadableFileWarning, match=r"30\.png"):
        selection = Gini().select(net, paths[20:], 5)
    assert np.flatnonzero(np.isnan(selection.utilities)).tolist() == [10]
    assert 10 not in selection.indices


def test_a_committee_is_averaged():
    members = [
        ActiveLearner(LogisticRegression(max_iter=500), X_training=X[part], y_training=y[part])
        for part in (slice(0, 40), slice(40, 80))
    ]
    pool = X[80:120]
    chosen, _ = Committee(members, query_strategy=Gini()).query(pool, n_instances=4)
    mean = np.mean([member.predict_proba(pool) for member in members], axis=0)
    assert chosen.tolist() == np.argsort(-np.array(gini(mean)))[:4].tolist()


class Ends(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.fc, self.drop, self.end = nn.Linear(64, 3), nn.Dropout(), end

    def forward(self, x):
        return self.end(self.fc(self.drop(x)))


def net_that_ends_in(end):
    net = NeuralNetClassifier(
        Ends, module__end=end, criterion=nn.NLLLoss, classes=[0, 1, 2], device="cpu", verbose=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)  # one row in a hundred sums to 1 by chance
        return net.initialize()


ROWS = X[:40].astype(np.float32)


@pytest.mark.parametrize(
    "strategy", [Entropy(), BALD(n_passes=2), BADGE(), FisherMask(), LPLGrad()]
)
@pytest.mark.parametrize("end", [nn.LogSoftmax(1), nn.Identity(), nn.Sigmoid()], ids=str)
def test_nets_under_nll_loss_have_to_return_probabilities(end, strategy):
    """They were taken for probabilities, and all utilities were equal (skorch#637, modAL#191)."""
    message = r"net under NLLLoss, .* Got a row that sums to .* End its module in Softmax, or train"
    with pytest.raises(ValueError, match=message):
        strategy.select(net_that_ends_in(end), ROWS, 4)
    strategy.select(net_that_ends_in(nn.Softmax(1)), ROWS, 4)


class Predicts(ClassifierMixin, BaseEstimator):
    """A classifier that predicts what it is told to."""

    def __init__(self, change):
        self.change, self.classes_ = change, np.arange(3)

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        p = np.tile([0.2, 0.3, 0.5], (len(X), 1)).astype(np.float32)
        p[-1] = self.change(p[-1])
        return p


@pytest.mark.parametrize(
    ("change", "sums_to"),
    [
        (np.log, "-3.507"),
        (lambda p: 2 * p, "2"),
        (lambda p: p * 0, "0"),
        (lambda p: [-0.5, 0.5, 1], "1, with a smallest value of -0.5"),
    ],
)
@pytest.mark.parametrize("wrap", ["alone", "list", "pipeline", "learner"])
def test_any_predict_proba_has_to_return_probabilities(change, sums_to, wrap):
    estimator = {
        "alone": Predicts,
        "list": lambda change: [Predicts(lambda p: p), Predicts(change)],
        "pipeline": lambda change: make_pipeline(FunctionTransformer(), Predicts(change)),
        "learner": lambda change: ActiveLearner(Predicts(change)),
    }[wrap](change)
    message = rf"predict_proba of the Predicts queried by Entropy .* sums to {sums_to}.*not logits"
    with pytest.raises(ValueError, match=message):
        Entropy().select(estimator, ROWS, 4)


@pytest.mark.parametrize("strategy", [Entropy(), Margin(), UHerding(uncertainty="entropy")])
@pytest.mark.parametrize(
    ("row", "scale", "dtype"),
    [
        (np.full(300, 1 / 300), 1.005, np.float64),  # 1 − (Σp − max p) is below 0
        (np.full(300, 1 / 300), 0.995, np.float32),
        (np.full(5000, 1 / 5000), 1, np.float16),
    ],
)
def test_sums_that_are_off_are_divided_out(strategy, row, scale, dtype):
    """The flattest rows had no entropy, and were never picked."""
    C = len(row)
    sure = np.r_[0.9, np.full(C - 1, 0.1 / (C - 1))]

    class Off(Fixed):
        classes_ = np.arange(C)

        def predict_proba(self, X):
            flat = X[:, :1] > 0
            return np.where(flat, row * scale, sure).astype(dtype)

    pool = np.arange(-5.0, 5)[:, None]
    given = {"embeddings": pool, "embeddings_labelled": pool[:1]}
    found = strategy.select(Off(), pool, 4, X_labelled=pool[:1], **given)
    assert pool[found.indices[0]] > 0
    if found.utilities is not None:
        assert (pool[found.indices] > 0).all()
        expected = {Entropy: np.log(C), Margin: 1}[type(strategy)]
        np.testing.assert_allclose(found.utilities[6:], expected, rtol=1e-3)


def test_rounding_below_0_is_0():
    below = np.array([1 + 1e-7, -1e-7, 0.0], np.float32)
    assert below[1] < 0
    found = Entropy().select(Predicts(lambda p: below), ROWS, 4).utilities
    assert 0 <= found[-1] < 1e-5
    with pytest.raises(ValueError, match="smallest value of -0.001"):
        Entropy().select(Predicts(lambda p: [1.001, -0.001, 0]), ROWS, 4)


class Returns(Predicts):
    """A classifier whose predict_proba returns all of it changed."""

    def predict_proba(self, X):
        return self.change(np.tile([0.2, 0.3, 0.5], (len(X), 1)))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[:1],  # NumPy would repeat it for each sample
        lambda p: p[:-1],
        lambda p: p[:, :2],
        lambda p: p[:, :1],
        lambda p: p[:, 0],
        lambda p: [p, p],
        lambda p: [p, p[:, :2]],
        lambda p: p.astype(object),
        lambda p: p.astype(complex),
        lambda p: None,
    ],
)
def test_probabilities_have_a_row_for_each_sample_and_a_column_for_each_class(change):
    message = r"predict_proba of the Returns queried by Entropy .* shape \(\d+, 3\), a row for each"
    with pytest.raises(ValueError, match=message):
        Entropy().select(Returns(change), ROWS, 4)


@pytest.mark.parametrize(
    "change", [np.ndarray.tolist, pd.DataFrame, lambda p: torch.tensor(p, requires_grad=True)]
)
def test_containers_of_probabilities(change):
    found = Entropy(random_state=0).select(Returns(change), ROWS, 4)
    expected = Entropy(random_state=0).select(Returns(np.asarray), ROWS, 4)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.utilities, expected.utilities)


def test_a_classifier_that_does_not_say_its_classes():
    class Silent(BaseEstimator):
        def fit(self, X, y):
            self.fitted_ = True
            return self

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    with pytest.raises(UnsupportedEstimatorError, match="lists in classes_ .* Silent has none"):
        Entropy().select(Silent().fit(None, None), ROWS, 4)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounded_probabilities_are_probabilities(dtype):
    class Rounded(Predicts):
        def predict_proba(self, X):
            p = np.random.default_rng(0).dirichlet(np.ones(100), len(X))
            return p.astype(dtype)

    estimator = Rounded(None)
    estimator.classes_ = np.arange(100)
    Entropy().select(estimator, ROWS, 4)
