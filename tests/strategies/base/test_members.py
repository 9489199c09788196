"""Members that know different classes cannot be averaged, nor compared."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier

from skactive import BALD, BatchBALD, CNNClassifier, Entropy, Hybrid, Margin, VariationRatio
from tests.strategies.stubs import Fixed, distributions

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3
NAMES = np.array(["ape", "bat", "cat"])[Y]
READERS = [
    Entropy(),
    Margin(),
    BALD(n_passes=2),
    BatchBALD(n_passes=2),
    VariationRatio(voting="hard", n_passes=2),
    Hybrid([Margin()]),
]
readers = pytest.mark.parametrize("strategy", READERS, ids=lambda s: type(s).__name__)


def linear(y, keep=slice(None)):
    return LogisticRegression().fit(X[keep], y[keep])


def network(y):
    return CNNClassifier(max_epochs=1, random_state=0).fit(X, y)


DIFFERENT = {
    "ints and names": (lambda: [linear(Y), linear(NAMES)], r"\[0, 1, 2\] and \['ape', 'bat', 'ca"),
    "networks": (lambda: [network(Y), network(NAMES)], r"\[0, 1, 2\] and \['ape', 'bat', 'cat'\]"),
    "ints and their names": (lambda: [linear(Y), linear(Y.astype(str))], r"2\] and \['0', '1'"),
    "objects": (lambda: [linear(NAMES.astype(object)), linear(Y)], r"'cat'\] and \[0, 1, 2\]"),
    "subsets": (lambda: [linear(Y, Y < 2), linear(Y, Y > 0)], r"\[0, 1\] and \[1, 2\] instead"),
    "one lacks a class": (lambda: [linear(Y), linear(Y), linear(Y, Y > 0)], r"2\] and \[1, 2\] in"),
    "shifted": (lambda: [linear(Y), linear(Y + 1)], r"\[0, 1, 2\] and \[1, 2, 3\] instead"),
    "many": (
        lambda: [Fixed(0, range(k, k + 99)) for k in range(5)],
        r"\.\.\. and \[1, .*\.\.\. and others instead",
    ),
}


@readers
@pytest.mark.parametrize(("members", "got"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_classes_are_refused(strategy, members, got):
    """Of a network on numbers and one on names, all samples seemed alike (modAL#88)."""
    found = members()
    must = r"'estimator' parameter of \w+ must be members that know the same classes\. Got "
    with pytest.raises(ValueError, match=must + f".*{got}.* list it in classes="):
        strategy.select(found, X, 3)


class TwoLayers(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(4, 3))


@readers
@pytest.mark.parametrize(
    ("y", "got"),
    [(Y % 2, r"\[0, 1\]"), (NAMES, r"\['ape', 'bat', 'cat'\]")],
    ids=["fewer", "names"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_loaded_net_knows_its_columns_by_number(strategy, y, got, turned):
    """It has seen no labels: numbers in the columns that the others lack were averaged."""
    loaded = NeuralNetClassifier(TwoLayers, criterion=torch.nn.CrossEntropyLoss, device="cpu")
    members = [loaded.initialize(), linear(y)]
    both = rf"{got} and \[0, 1, 2\]" if turned else rf"\[0, 1, 2\] and {got}"
    with pytest.raises(ValueError, match=rf"know the same classes\. Got {both}"):
        strategy.select(members[::-1] if turned else members, X, 3)
    strategy.select([loaded, linear(Y)], X, 3)


def test_a_committee_of_modal_too():
    learners = [
        ActiveLearner(LogisticRegression(), X_training=X[keep], y_training=Y[keep])
        for keep in (Y < 2, Y > 0)
    ]
    with pytest.raises(ValueError, match=r"\[0, 1\] and \[1, 2\] instead"):
        Committee(learners, query_strategy=Entropy()).query(X)


class Turned(Fixed):
    """The same predictions with the classes in another order."""

    def predict_proba(self, X):
        return X[:, self.t][:, [2, 0, 1]]


@pytest.mark.parametrize(
    "kind", [np.arange(3), np.arange(3.0), np.array(["a", "b", "c"]), np.array([2, 0, 1])]
)
def test_another_order_is_aligned(kind):
    P = distributions(20, 2)
    turned = [Fixed(0, kind), Turned(1, kind[[2, 0, 1]])]
    for strategy in (Entropy(), BALD(), VariationRatio()):
        found = strategy.select(turned, P, 3).utilities
        expected = strategy.select([Fixed(0, kind), Fixed(1, kind)], P, 3).utilities
        np.testing.assert_array_equal(found, expected)


def test_equal_numbers_are_equal_classes():
    members = [linear(Y), linear(Y.astype(float)), linear(Y.astype(np.uint8))]
    assert BALD().select(members, X, 3).utilities.max() < 1e-9


def test_ensembles_of_scikit_learn_average_their_own():
    for ensemble in (
        VotingClassifier(
            [("a", LogisticRegression()), ("b", LogisticRegression(C=9))], voting="soft"
        ),
        BaggingClassifier(LogisticRegression(), 3, random_state=0),
    ):
        ensemble.fit(X.astype(float), NAMES)
        p = ensemble.predict_proba(X.astype(float))
        np.testing.assert_allclose(
            Entropy().select(ensemble, X.astype(float), 3).utilities,
            -(p * np.log(p)).sum(1),
            rtol=1e-9,
        )
