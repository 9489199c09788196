"""What strategies of gradients will open: one network, fed with blocks of the pool."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier

from skactive import CNNClassifier
from skactive._pool import Pool
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base import _networks
from skactive.strategies.base._networks import PoolNetwork

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
    match = "MyStrategy needs a torch network. Got GaussianNB instead. Use a CNNClassifier"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        PoolNetwork(GaussianNB().fit(X, Y), "MyStrategy")


def test_probabilities_of_zero_stay_finite():
    class Certain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            p = torch.zeros(len(x), 2)
            p[:, 0] = self.scale
            return p

    net = NeuralNetClassifier(Certain, train_split=None, classes=[0, 1]).initialize()
    log_p = PoolNetwork(net, "MyStrategy").log_probabilities(Pool.of(X.astype(np.float32)), 8)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(log_p[:, 0], 0, atol=1e-12)
    assert log_p[:, 1].max() < -80


def test_another_device_gets_a_copy(clf, monkeypatch):
    # "meta" has no values, but is another device on every machine
    monkeypatch.setattr(_networks, "resolve_device", lambda device, owner: torch.device("meta"))
    network = PoolNetwork(clf, "MyStrategy", "cuda")
    assert network.device == torch.device("meta")
    assert network.scored is not clf.module_
    assert all(p.device == torch.device("cpu") for p in clf.module_.parameters())


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


def test_the_next_block_is_read_before_logits_are_looked_at(clf, monkeypatch):
    events = []
    network = PoolNetwork(make_pipeline(FunctionTransformer(lambda X: X), clf), "MyStrategy")
    inputs, check_logits = network.inputs, network.check_logits

    def reading(block, where, *parameter):
        events.append(("read", int(where[0])))
        return inputs(block, where, *parameter)

    def looking(logits, where):
        events.append(("look", int(where[0])))
        check_logits(logits, where)

    monkeypatch.setattr(network, "inputs", reading)
    monkeypatch.setattr(network, "check_logits", looking)
    log_p = network.log_probabilities(Pool.of(X), 12)
    np.testing.assert_allclose(np.exp(log_p), clf.predict_proba(X), rtol=1e-12)
    assert events == [
        ("read", 0),
        ("read", 12),
        ("look", 0),
        ("read", 24),
        ("look", 12),
        ("look", 24),
    ]
