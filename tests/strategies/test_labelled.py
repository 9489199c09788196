"""Labelled samples and labels of different lengths."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from modAL.models import ActiveLearner
from sklearn.linear_model import LogisticRegression

from skactive import BADGE, CoreSet, Entropy, Hybrid, Margin, Random, Subsample
from skactive._validation import InvalidParameterError

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 4)), np.arange(60) % 3
MESSAGE = (
    r"The 'y_labelled' parameter of \w+ must be a label for each of the 60 samples of X_labelled\. "
    r"Got labels: 10 instead\. Check that X_labelled and y_labelled belong together\."
)


def flat(block):
    return np.asarray(block)


@pytest.mark.parametrize(
    "strategy",
    [
        Random(),
        Margin(),
        BADGE(),
        CoreSet(embeddings=flat),
        Hybrid([Entropy(), CoreSet(embeddings=flat)]),
        Subsample(Margin(), n=9),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
@pytest.mark.parametrize(
    "kind",
    [np.asarray, list, torch.as_tensor, pd.DataFrame, sp.csr_matrix],
    ids=lambda k: k.__name__,
)
def test_every_strategy_refuses_them(strategy, kind):
    fitted = LogisticRegression().fit(X, y)
    with pytest.raises(InvalidParameterError, match=MESSAGE):
        strategy.select(fitted, X, 3, X_labelled=kind(X), y_labelled=y[:10])


@pytest.mark.parametrize("labels", [y, y.tolist(), torch.as_tensor(y), pd.Series(y)], ids=type)
def test_labels_of_every_kind_are_counted(labels):
    fitted = LogisticRegression().fit(X, y)
    strategy = CoreSet(embeddings=flat)
    assert len(strategy.select(fitted, X, 3, X_labelled=X, y_labelled=labels).indices) == 3
    with pytest.raises(InvalidParameterError, match=r"each of the 59 samples .* Got labels: 60"):
        strategy.select(fitted, X, 3, X_labelled=X[:59], y_labelled=labels)


def test_one_without_the_other_and_learners_that_have_none():
    fitted = LogisticRegression().fit(X, y)
    assert len(CoreSet(embeddings=flat).select(fitted, X, 3, X_labelled=X).indices) == 3
    assert len(Random().select(fitted, X, 3, y_labelled=y[:10]).indices) == 3
    learner = ActiveLearner(fitted, query_strategy=Margin())
    assert len(learner.query(X, n_instances=3)[0]) == 3
    learner.X_training, learner.y_training = X, y[:10]
    with pytest.raises(InvalidParameterError, match=MESSAGE):
        learner.query(X, n_instances=3)
