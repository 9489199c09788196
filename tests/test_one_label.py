"""Several labels per image are refused by name at fit, select and teach."""

import enum
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.neighbors import NearestCentroid as Nearest

from skactive import BAIT, CNNClassifier, Entropy, LPLClassifier, Margin, Random
from skactive._one_label import check_one_label
from skactive.datasets import initial_positions, long_tail_counts, make_imbalanced
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


ROWS = np.random.default_rng(0).normal(size=(12, 4))


class Pet(str, enum.Enum):
    CAT = "cat"
    DOGS = "dogs"


def taught(y):
    kind = type(y) if isinstance(y, list) else pd.Series
    learner = ActiveLearner(CNNClassifier(max_epochs=1), Margin(), ROWS, kind(["cat", "dogs"] * 6))
    learner.teach(ROWS, y)
    return learner.y_training


def compared(y):
    budget = {"n_initial": 8, "n_instances": 2, "n_rounds": 1, "seeds": 1, "progress": False}
    return run_experiment(Nearest(), [Random()], ROWS, y, ROWS, y, **budget)


DOORS = {
    "teach": taught,
    "run_experiment": lambda y: list(compared(y).frame["recall"][0]),
    "initial_positions": lambda y: [list(y)[i] for i in initial_positions(y, 1, per_class=True)],
    "long_tail_counts": lambda y: list(long_tail_counts(y, 0.5)),
    "make_imbalanced": lambda y: make_imbalanced(ROWS, y, [3, 3])[1],
    "partial_fit": lambda y: (
        CNNClassifier().partial_fit(ROWS, y, classes=[*dict.fromkeys(y)]).classes_
    ),
}


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA], ids=repr)
@pytest.mark.parametrize("make", [list, lambda y: pd.Series(y, dtype=object)])
@pytest.mark.parametrize("door", DOORS)
def test_labels_that_are_missing_among_names(door, make, missing):
    """NumPy makes a class 'nan' of them."""
    with pytest.raises(ValueError, match="has no label at position 2"):
        DOORS[door](make(["cat", "dogs", missing] * 4))


@pytest.mark.parametrize("make", [list, pd.Series, lambda y: pd.Series(y, dtype=object)])
@pytest.mark.parametrize("door", DOORS)
def test_members_of_an_enum_are_their_texts(door, make):
    """NumPy cuts 'Pet.CAT' and 'Pet.DOGS' to 'Pet.', one class for both."""
    found = DOORS[door](make([Pet.CAT, Pet.DOGS] * 6))
    assert {str.__str__(label) for label in found} == {"cat", "dogs"}


def test_members_of_an_enum_are_known_from_the_start_and_later():
    y = [Pet.CAT, Pet.DOGS] * 6
    learner = ActiveLearner(CNNClassifier(max_epochs=1), Margin(), ROWS, y)
    learner.teach(ROWS, y)
    assert learner.y_training == ["cat", "dogs"] * 12
    clf = CNNClassifier(max_epochs=1, classes=list(Pet))
    for _ in range(2):
        clf.partial_fit(ROWS, y, classes=list(Pet))
    with pytest.raises(ValueError, match="those of the first call"):
        clf.partial_fit(ROWS, y, classes=["cat", "dogs", "eel"])
    compared_with = {"n_initial": 8, "n_instances": 2, "n_rounds": 0, "seeds": 1, "progress": False}
    run_experiment(clf, [Random()], ROWS, y, ROWS, y, **compared_with)  # no warning of classes=


@pytest.mark.parametrize("y", [3, None, iter], ids=repr)
def test_what_is_no_labels(y):
    for door in ("run_experiment", "initial_positions", "teach"):
        with pytest.raises(ValueError, match="'y' parameter of .* must be"):
            DOORS[door](y)


@pytest.mark.parametrize("wrap", [torch.tensor, np.array], ids=["tensors", "arrays"])
@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_tensors_and_arrays_of_one_item(wrap, classes):
    clf = CNNClassifier(max_epochs=1, classes=classes).fit(ROWS, [wrap([i % 3]) for i in range(12)])
    assert clf.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="one label per sample, got (Tensor|ndarray) items"):
        clf.fit(ROWS, [wrap([0, 1])] * 12)


@pytest.mark.parametrize("kinds", [(int, float), (float, int), (bool, int)])
def test_classes_have_one_name_in_results_whatever_the_dtypes(kinds):
    """1 in `y` and 1.0 in `y_test` were two classes of the pictures."""
    y, y_test = (np.arange(12) % 2 for _ in kinds)
    y, y_test = y.astype(kinds[0]), y_test.astype(kinds[1])
    budget = {"n_initial": 8, "n_instances": 2, "n_rounds": 1, "seeds": 1, "progress": False}
    first = run_experiment(Nearest(), [Random()], ROWS, y, ROWS, y_test, **budget).frame.iloc[0]
    assert (
        set(first["queried_classes"]) <= set(first["recall"]) == {str(c) for c in set(y.tolist())}
    )
