"""Labels of every kind that people bring: the right codes, or an error that says what to do."""

import csv
import datetime
import decimal
import enum
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from modAL.models import ActiveLearner
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import CNNClassifier, LPLClassifier, Margin
from skactive.estimators._labels import encode_labels

ROWS = np.random.default_rng(0).normal(size=(6, 4))


def encode(y, classes=None):
    codes, known = encode_labels(y, classes, len(y), "CNNClassifier")
    return codes.tolist(), known.tolist()


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series, torch.tensor, pd.Index, iter])
@pytest.mark.parametrize("classes", [None, range(3), [2, 0, 1], np.array([0.0, 1.0, 2.0])])
def test_numbers_in_any_container(make, classes):
    codes, known = encode_labels(make([2, 0, 1, 2]), classes, 4, "CNNClassifier")
    assert codes.tolist() == [2, 0, 1, 2]
    assert known.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "y",
    [
        ["b", "a"],
        np.array(["b", "a"]),
        np.array(["b", "a"], dtype=object),
        pd.Series(["b", "a"], dtype="string"),
        pd.Series(["b", "a"], dtype="category"),
        pd.Categorical(["b", "a"]),
    ],
    ids=lambda y: f"{type(y).__name__} {getattr(y, 'dtype', '')}",
)
def test_strings_in_any_container(y):
    assert encode(y) == ([1, 0], ["a", "b"])
    assert encode(y, ["c", "b", "a"]) == ([1, 0], ["a", "b", "c"])


@pytest.mark.parametrize(
    "y",
    [
        np.array([2, 1], dtype=np.int8),
        np.array([2, 1], dtype=">i4"),
        [np.int64(2), 1],
        np.array([2.0, 1.0]),
        np.array([2, 1], dtype=object),
        pd.Series([2, 1], dtype="Int64"),
        [2, True],
    ],
    ids=repr,
)
def test_numbers_are_compared_by_value(y):
    assert encode(y, [0, 1, 2]) == ([2, 1], [0, 1, 2])


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (
            ["10", "11", "2"],
            range(12),
            r"'y' .* must be numbers, as the classes \[0, 1.* Got strings",
        ),
        (np.array(["1"]), np.array([1]), r"Got strings, \['1'\] of dtype <U1, instead. Convert"),
        (pd.Series(["1", "2"]), [1, 2], r"must be numbers.* Got strings"),
        ([1, 2], ["1", "2"], r"must be strings, as the classes \['1', '2'\] are. Got numbers"),
        (torch.tensor([1, 2]), ["1", "2"], "must be strings"),
        ([1, 2, "3"], None, "'y' .* labels of one kind.* Got numbers and strings"),
        (np.array([1, "3"], dtype=object), None, "'y' .* Got numbers and strings"),
        ([1, 2], [1, 2, "3"], "'classes' .* labels of one kind.* Got numbers and strings"),
    ],
)
def test_kinds_are_not_mixed(y, classes, message):
    """Texts were compared with numbers as strings, and other classes learnt (fastai#1868)."""
    with pytest.raises(ValueError, match=message):
        encode(y, classes)


@pytest.mark.parametrize(
    "y",
    [
        ["a", None, "b"],
        pd.Series(["a", None, "b"]),
        pd.Series(["a", pd.NA, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series([1, None, 2], dtype="Int64"),
        np.array([1.0, np.nan, 2.0]),
        np.array([1, None, 2], dtype=object),
        [1, float("nan"), 2],
        ["a", float("nan"), "b"],
        torch.tensor([1.0, float("nan"), 2.0]),
        np.array(["2020", "NaT", "2021"], dtype="datetime64[Y]"),
    ],
    ids=repr,
)
def test_missing_labels(y):
    """Missing labels made another class, or an error about '<' (scikit-learn#30338)."""
    with pytest.raises(ValueError, match=r"y has no label at position 1\. Label these samples"):
        encode(y)


@pytest.mark.parametrize(
    "y",
    [
        ["a", "", "b"],
        np.array(["a", "", "b"]),
        np.array([b"a", b"", b"b"]),
        np.array(["a", "", "b"], dtype=object),
        pd.Series(["a", "", "b"]),
        pd.Series(["a", "", "b"], dtype="string"),
        pd.Series(["a", "", "b"], dtype="category"),
    ],
    ids=repr,
)
def test_an_empty_string_is_no_label(y):
    """What csv.reader gives where nothing was filled in was a class of its own."""
    with pytest.raises(ValueError, match="no label at position 1, where it has an empty string"):
        encode(y)


def test_large_numbers_of_either_sign():
    """uint64 and int64 were compared as floats: three ids of 2^60 became one class."""
    ids = [2**60, 2**60 + 1, 2**60 + 2]
    for one, other in ((np.uint64, np.int64), (np.int64, np.uint64), (np.uint64, np.uint64)):
        codes, classes = encode_labels(np.array(ids, one), np.array(ids, other), 3, "x")
        assert codes.tolist() == [0, 1, 2]
        assert classes.tolist() == ids
    with pytest.raises(ValueError, match="labels out of the classes"):
        encode_labels(np.array([2**60 + 7], np.uint64), ids, 1, "x")


def test_several_missing_labels():
    with pytest.raises(ValueError, match="at position 0, and at 2 more"):
        encode([None, "a", None, None])


@pytest.mark.parametrize(
    "y", [[[1, 0], [0, 1]], np.eye(2, dtype=int), [["a"], ["a", "b"]], [{"a"}, {"b"}], torch.eye(2)]
)
def test_several_labels_per_image(y):
    with pytest.raises(ValueError, match="one label per sample, .* Several labels per image"):
        encode(y)


@pytest.mark.parametrize("make", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_estimators_refuse(make, method):
    clf = make(classes=range(12), max_epochs=1, device="cpu")
    with pytest.raises(ValueError, match="must be numbers"):
        getattr(clf, method)(ROWS, ["10", "11", "2"] * 2)
    with pytest.raises(ValueError, match="no label at position 5"):
        getattr(clf, method)(ROWS, [1.0, 2.0, 1.0, 2.0, 1.0, np.nan])


def test_a_learner_taught_what_a_csv_file_holds():
    clf = CNNClassifier(classes=range(12), max_epochs=1, device="cpu")
    learner = ActiveLearner(clf, Margin(), ROWS, [0, 1, 2, 10, 11, 3])
    labels = [row[0] for row in csv.reader(["10", "2"])]
    with pytest.raises(TypeError, match="numbers and strings cannot be mixed"):
        learner.teach(ROWS[:2], labels)
    assert learner.predict(ROWS).dtype.kind == "i"


@pytest.mark.parametrize(
    ("classes", "y"),
    [(["cat", "dog"], ["cat", "dog"]), ([10, 20], [10, 20]), (["a", "b", "c"], ["a", "c"])],
)
def test_labels_that_scikit_learn_has_encoded(classes, y):
    """cross_val_predict(method="predict_proba"), cleanlab's way in, replaces names by positions."""
    X, y = np.zeros((12, 5, 5)), np.array(y * 6)
    clf = CNNClassifier(classes=classes, max_epochs=1, random_state=0, device="cpu")
    with pytest.raises(ValueError, match="scikit-learn has encoded y, as cross_val_predict.*=None"):
        cross_val_predict(clf, X, y, cv=2, method="predict_proba")
    assert set(cross_val_predict(clf, X, y, cv=2)) <= set(classes)
    clf.set_params(classes=None)
    assert cross_val_predict(clf, X, y, cv=2, method="predict_proba").shape == (12, 2)
    pipeline = make_pipeline(FunctionTransformer(), clf)
    assert cross_val_predict(pipeline, X, y, cv=2, method="predict_proba").shape == (12, 2)
    clf.set_params(classes=range(2))  # the other way out
    p = cross_val_predict(
        clf, X, np.unique(y, return_inverse=True)[1], cv=2, method="predict_proba"
    )
    assert p.shape == (12, 2)
    with pytest.raises(ValueError, match="scikit-learn has encoded y"):
        VotingClassifier([("a", clf.set_params(classes=classes))]).fit(X, y)


def test_labels_that_cannot_be_positions_have_no_such_hint():
    for y in (["10", "11"], [10, 30], [-1, 10]):
        with pytest.raises(ValueError, match="'y' parameter") as caught:
            encode_labels(np.array(y), [10, 20], 2, "a test")
        assert "encoded" not in str(caught.value)


class Pet(str, enum.Enum):
    CAT = "cat"
    DOGS = "dogs"


@pytest.mark.parametrize("make", [list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_strings_that_are_members_of_an_enum(make):
    """NumPy cuts 'Pet.CAT' and 'Pet.DOGS' to 'Pet.', one class for both."""
    y = make([Pet.DOGS, Pet.CAT])
    assert encode(y) == ([1, 0], ["cat", "dogs"])
    assert encode(y, ["cat", "dogs"]) == encode(y, list(Pet)) == ([1, 0], ["cat", "dogs"])


@pytest.mark.parametrize("make", [list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_the_score_reads_labels_as_fit_does(make):
    X = np.repeat([[0.0], [1.0]], 10, axis=0)
    y = [Pet.DOGS] * 10 + [Pet.CAT] * 10
    clf = CNNClassifier("mlp", max_epochs=30, lr=0.1, random_state=0).fit(X, make(y))
    assert clf.score(X, make(y)) == clf.score(X, ["dogs"] * 10 + ["cat"] * 10) == 1.0
    weight = np.repeat([3.0, 1.0], 10)
    assert clf.score(X, make([Pet.DOGS] * 20), weight) == 0.75
    with pytest.raises(ValueError, match="y has no label at position 1"):
        clf.score(X, [*y[:1], None, *y[2:]])


@pytest.mark.parametrize(
    "y",
    [
        [torch.tensor(2), torch.tensor(1)],
        [np.array(2), np.array(1)],
        pd.Series([torch.tensor(2), torch.tensor(1)]),
        list(pa.array([2, 1])),
        torch.tensor([2, 1], dtype=torch.bfloat16),
        torch.tensor([2.0, 1.0], requires_grad=True),
        np.ma.array([2, 1], mask=False),
    ],
    ids=repr,
)
def test_numbers_in_tensors_and_scalars(y):
    assert encode(y, [0, 1, 2]) == ([2, 1], [0, 1, 2])
    assert encode(y) == ([1, 0], [1, 2])


@pytest.mark.parametrize("values", [[0, 1, 1], ["a", "b", "a"], [0.0, 1.0, 1.0]])
@pytest.mark.parametrize("make", [lambda y: y, list, lambda y: pd.Series(y.astype(object))])
def test_masked_labels_are_missing(values, make):
    y = make(np.ma.array(values, mask=[False, True, False]))
    with pytest.raises(ValueError, match="y has no label at position 1"):
        encode(y)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path, "PosixPath|WindowsPath"),
        (lambda name: Color[name.upper()], "Color"),
        (lambda name: datetime.date(2020, 1, 1 + len(name)), "date"),
        (lambda name: pd.Interval(0, len(name)), "Interval"),
        (lambda name: decimal.Decimal(len(name)), "Decimal"),
        (lambda name: 2**70 + len(name), "int"),
    ],
)
def test_labels_of_other_types_are_named(make, kind):
    y = list(map(make, ["red", "blue", "red"]))
    for labels in (y, pd.Series(y, dtype=object)):
        with pytest.raises(ValueError, match=rf"'y' .* Got ({kind}) objects such as .*map\(str, y"):
            encode(labels)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def test_weights_of_a_score_are_read_as_those_of_fit():
    X, y = np.repeat([[0.0], [1.0]], 10, axis=0), np.repeat([0, 1], 10)
    clf = CNNClassifier("mlp", max_epochs=30, lr=0.1, random_state=0).fit(X, y)
    weight = np.repeat([3.0, 1.0], 10)
    for given in (torch.tensor(weight, requires_grad=True), pd.Series(weight), weight.tolist()):
        assert clf.score(X, np.zeros(20, int), given) == 0.75
    masked = np.ma.array(weight, mask=y == 1)
    for call in (clf.score, clf.fit):
        with pytest.raises(ValueError, match="NaN"):
            call(X, y, masked)
