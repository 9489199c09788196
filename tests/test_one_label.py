"""Several labels per image are refused by name at fit, select and teach."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from modAL.models import ActiveLearner, Committee

from skactive import BAIT, CNNClassifier, Entropy, LPLClassifier, Margin, Random
from skactive._one_label import check_one_label
from skactive.experiments import run_experiment

X = np.random.default_rng(0).random((12, 6, 6), dtype=np.float32)
Y = np.arange(12) % 3
HOT = np.eye(3, dtype=int)[Y]
SEVERAL = {
    "indicators": (HOT, "shape (12, 3)"),
    "a tensor": (torch.as_tensor(HOT), "shape (12, 3)"),
    "a frame": (pd.DataFrame(HOT), "shape (12, 3)"),
    "lists": (HOT.tolist(), "list items"),
    "ragged lists": ([[0], [0, 1]] * 6, "list items"),
    "tuples": (pd.Series([("a", "b")] * 12), "tuple items"),
    "sets": ([{0}, {0, 1}] * 6, "set items"),
    "arrays": ([np.array([0, 1])] * 12, "ndarray items"),
}


def make(kind=CNNClassifier):
    return kind(classes=[0, 1, 2], max_epochs=1, random_state=0, device="cpu")


@pytest.fixture(scope="module")
def fitted():
    return make().fit(X, Y)


@pytest.mark.parametrize("what", SEVERAL)
def test_fit_select_and_teach(what, fitted):
    y, got = SEVERAL[what]
    message = rf"one label per sample, got {got}. Several labels per image are".replace("(", r"\(")
    message = message.replace(")", r"\)")
    for kind in (CNNClassifier, LPLClassifier):
        for method in ("fit", "partial_fit"):
            with pytest.raises(ValueError, match=f"y should be a 1d array of {message}"):
                getattr(make(kind), method)(X, y)
    for strategy in (Margin(), Random(), BAIT(), Entropy()):
        with pytest.raises(ValueError, match=f"y_labelled should be a 1d array of {message}"):
            strategy.select(fitted, X, 2, X_labelled=X, y_labelled=y)
    learner = ActiveLearner(make(), Margin(), X_training=X, y_training=Y)
    committee = Committee([learner], Entropy())
    for teacher in (learner, committee):
        with pytest.raises(ValueError, match=f"y should be a 1d array of {message}"):
            teacher.teach(X, y)
    assert len(learner.y_training) == 12


@pytest.mark.parametrize(
    "y", [dict(enumerate(Y)), {*range(12)}, "abc" * 4, b"abc" * 4], ids=lambda y: type(y).__name__
)
def test_labels_in_no_order_are_refused(y, fitted):
    """A dict by position was its keys, a string its letters."""
    must = f"in the order of the samples, got a {type(y).__name__}"
    for kind in (CNNClassifier, LPLClassifier):
        for method in ("fit", "partial_fit"):
            with pytest.raises(ValueError, match=f"y should be a 1d array.* {must}"):
                getattr(make(kind), method)(X, y)
    with pytest.raises(ValueError, match=f"y_labelled should be a 1d array.* {must}"):
        Margin().select(fitted, X, 2, X_labelled=X, y_labelled=y)
    learner = ActiveLearner(make(), Margin(), X_training=X, y_training=Y)
    with pytest.raises(ValueError, match=must):
        learner.teach(X, y)


@pytest.mark.parametrize(
    ("y", "remedy"),
    [
        (HOT, "y.argmax(axis=1)"),
        (HOT == 1, "y.argmax(axis=1)"),
        (torch.as_tensor(HOT), "y.argmax(axis=1)"),
        (pd.DataFrame(HOT), "y.to_numpy().argmax(axis=1)"),
    ],
)
def test_one_hot_rows_have_a_remedy_that_works(y, remedy):
    said = f"One-hot rows become labels by {remedy}."
    for call in (lambda y: check_one_label("y", y), lambda y: make().fit(X, y)):
        with pytest.raises(ValueError, match=rf"{re.escape(said)}$"):
            call(y)
    np.testing.assert_array_equal(eval(remedy), Y)
    several = HOT.copy()
    several[0] = 1
    with pytest.raises(ValueError, match=r"one classifier per label\.$"):
        make().fit(X, several)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array, sp.coo_matrix])
def test_sparse_indicators(kind):
    with pytest.raises(ValueError, match=r"got shape \(12, 3\)\. .* one classifier per label\.$"):
        check_one_label("y", kind(HOT))


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y[:, None],
        Y.tolist(),
        range(12),
        torch.as_tensor(Y),
        pd.Series(Y),
        pd.Series(list("abc") * 4),
        pd.Series(list("abc") * 4, dtype="category"),
        np.array(list("abc") * 4, dtype=object),
        [],
        None,
    ],
)
def test_one_label_each(y):
    check_one_label("y", y)


def test_learners_of_several_labels_are_left_to_modal():
    """modAL.multilabel is made for them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    rows = X.reshape(12, -1)
    learner = ActiveLearner(
        OneVsRestClassifier(LogisticRegression()), X_training=rows, y_training=HOT
    )
    learner.teach(rows, HOT)
    assert learner.y_training.shape == (24, 3)


def test_masked_labels_are_missing():
    X, y = np.zeros((4, 8, 8), np.uint8), np.ma.masked_array([0, 1, 0, 1], mask=[0, 0, 1, 1])
    clf = CNNClassifier(max_epochs=1, classes=[0, 1])
    with pytest.raises(ValueError, match="y has no label at position 2, and at 1 more"):
        clf.fit(X, y)
    with pytest.raises(ValueError, match="y has no label at position 2, and at 1 more"):
        run_experiment(
            clf, [Random()], X, y, X, [0, 1] * 2, n_initial=1, n_instances=1, n_rounds=1, seeds=1
        )
    clf.fit(X, np.ma.masked_array([0, 1, 0, 1]))


@pytest.mark.parametrize("strategy", ["entropy", None, 3])
def test_what_is_no_strategy(strategy):
    with pytest.raises(TypeError, match=f"query_strategy must be a callable .* Got {strategy!r}"):
        ActiveLearner(CNNClassifier("linear"), strategy)
