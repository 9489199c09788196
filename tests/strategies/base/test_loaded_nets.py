"""Plain skorch nets that were initialised, and whose weights were loaded, as other nets are."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn

from skactive import (
    BADGE,
    BAIT,
    BALD,
    CoreSet,
    Entropy,
    ExpectedGradientLength,
    FisherMask,
    GradientNorm,
    Margin,
    ProbCover,
    TypiClust,
)
from skactive.exceptions import UnsupportedEstimatorError

X = np.random.default_rng(0).normal(size=(30, 5)).astype("float32")
Y = np.arange(30) % 3
STRATEGIES = [
    kind(random_state=0)
    for kind in (
        BADGE,
        BAIT,
        CoreSet,
        Entropy,
        ExpectedGradientLength,
        FisherMask,
        GradientNorm,
        Margin,
        TypiClust,
    )
]


class Net(nn.Module):
    def __init__(self, softmax=False, n_classes=3):
        super().__init__()
        self.body, self.dropout = nn.Linear(5, 6), nn.Dropout(0.5)
        self.head, self.softmax = nn.Linear(6, n_classes), softmax

    def forward(self, x):
        logits = self.head(self.dropout(torch.relu(self.body(x))))
        return torch.softmax(logits, 1) if self.softmax else logits


def net(probabilities=False, **params):
    criterion = nn.NLLLoss if probabilities else nn.CrossEntropyLoss
    settings = {"criterion": criterion, "module__softmax": probabilities, "verbose": 0}
    return NeuralNetClassifier(Net, **settings | {"train_split": None, "max_epochs": 2} | params)


@pytest.fixture(params=[False, True], ids=["logits", "probabilities"])
def pair(request, tmp_path):
    """A net that was trained, and one with its weights that has seen no labels."""
    torch.manual_seed(0)
    trained = net(request.param).fit(X, Y)
    trained.save_params(f_params=str(tmp_path / "net.pt"))
    loaded = net(request.param).initialize()
    loaded.load_params(f_params=str(tmp_path / "net.pt"))
    assert not hasattr(loaded, "classes_")
    return trained, loaded


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_the_same_picks_as_with_the_net_that_was_saved(pair, strategy):
    labelled = {"X_labelled": X[:4], "y_labelled": Y[:4]}
    trained, loaded = (strategy.select(n, X, 4, **labelled) for n in pair)
    np.testing.assert_array_equal(trained.indices, loaded.indices)
    if trained.utilities is not None:
        np.testing.assert_array_equal(trained.utilities, loaded.utilities)
    assert not hasattr(pair[1], "classes_")


def test_dropout_and_committees(pair):
    picked = [BALD(random_state=0).select(n, X, 4).indices for n in pair]
    np.testing.assert_array_equal(*picked)
    both = BALD(random_state=0).select(list(pair), X, 4).utilities
    np.testing.assert_allclose(both, 0, atol=1e-12)  # the members are the same


def test_in_learners_and_pipelines(pair):
    strategy = Entropy(random_state=0)
    expected = strategy.select(pair[0], X, 4).indices
    learner = ActiveLearner(pair[1], strategy)
    np.testing.assert_array_equal(learner.query(X, n_instances=4)[0], expected)
    pipeline = make_pipeline(FunctionTransformer(lambda x: x), pair[1])
    np.testing.assert_array_equal(strategy.select(pipeline, X, 4).indices, expected)


def test_a_strategy_that_counts_classes(pair):
    picked = [ProbCover(delta=0.5, random_state=0).select(n, X, 4).indices for n in pair]
    np.testing.assert_array_equal(*picked)


@pytest.mark.parametrize("strategy", [Entropy(), BADGE()])
def test_what_is_no_such_net(strategy):
    with pytest.raises(NotFittedError, match="needs a fitted estimator"):
        strategy.select(net(), X, 3)
    one = net(module__n_classes=1).initialize()
    with pytest.raises(UnsupportedEstimatorError, match="two classes or more"):
        strategy.select(one, X, 3)
