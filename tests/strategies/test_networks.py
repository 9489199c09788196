"""What strategies of gradients will open: one network, fed with blocks of the pool."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import CNNClassifier
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies._networks import PoolNetwork

RNG = np.random.default_rng(0)
X, Y = RNG.random((30, 6)), np.arange(30) % 3


@pytest.fixture(scope="module")
def clf():
    return CNNClassifier(max_epochs=2, random_state=0).fit(X, Y)


def test_a_committee_is_not_one_network(clf):
    committee = Committee([ActiveLearner(clf), ActiveLearner(clf)])
    match = r"MyStrategy reads one network .* a Committee of 2\. Pass committee\.learner_list\[0\]"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        PoolNetwork(committee, "MyStrategy")
    assert PoolNetwork(committee.learner_list[0], "MyStrategy").module is clf.module_


def test_an_estimator_without_a_network():
    match = "MyStrategy needs a torch network. Got LogisticRegression instead. Use a CNNClassifier"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        PoolNetwork(LogisticRegression().fit(X, Y), "MyStrategy")


def test_inputs_go_through_the_pipeline_and_give_gradients(clf):
    pipeline = make_pipeline(FunctionTransformer(lambda X: X / 2), clf)
    network = PoolNetwork(pipeline, "MyStrategy")
    inputs = network.inputs(2 * X[:4])
    torch.testing.assert_close(inputs, torch.as_tensor(X[:4]))
    logits = network.module(inputs)
    expected = np.log(clf.predict_proba(X[:4]))
    torch.testing.assert_close(torch.log_softmax(logits, 1), torch.as_tensor(expected))
    gradients = torch.autograd.grad(logits.sum(), list(clf.module_.parameters()))
    assert all(torch.isfinite(g).all() for g in gradients)
    assert network.classes.tolist() == [0, 1, 2]
    assert network.device == torch.device("cpu")
