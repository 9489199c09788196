"""Settings are compared by value, so that a warm start goes on wherever nothing has changed."""

import copy
import functools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from skactive import CNNClassifier, LPLClassifier
from skactive.estimators._same_value import kept, same_value

X = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)
Y = np.arange(12) % 2
ALL = [
    "small_cnn",
    None,
    3,
    range(10),
    {"width": 8},
    (0.5, 0.2),
    torch.relu,
    Path("w.pt"),
    nn.ReLU(),
]


class Picks:
    """A callable without a repr or a value of its own."""

    def __call__(self, out):
        return out


def first_of(out):
    return out


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0, 1, 2], range(3)),
        ((0, 1), np.array([0, 1])),
        ([0, 1], torch.tensor([0.0, 1.0])),
        (["a", "b"], np.array(["a", "b"])),
        (Path("w.pt"), "w.pt"),
        ({"a": [1]}, {"a": (1,)}),
        (functools.partial(first_of, 1, k=[2]), functools.partial(first_of, 1, k=(2,))),
        (nn.Linear(2, 3), nn.Linear(2, 3)),
        (0.5, np.float32(0.5)),
        ("auto", "auto"),
        (pd.Series(["a", "b", "a"]).unique(), ["a", "b"]),
        (pd.Index([1, 2]), np.array([1, 2])),
        (pd.Series([0.1, 0.2]), (0.1, 0.2)),
        (pd.DataFrame({"a": [1, 2]}), [[1], [2]]),
    ],
)
def test_the_same(a, b):
    assert same_value(a, b)
    assert same_value(kept(a), b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0, 1], [0, 1, 2]),
        (np.arange(2000), np.arange(2000) + (np.arange(2000) == 1000)),
        ([1, 2], ["1", "2"]),
        (None, "auto"),
        ({"a": 1}, {"a": 1, "b": 2}),
        (Picks(), Picks()),
        (nn.Linear(2, 3), nn.Linear(2, 4)),
        (first_of, torch.relu),
        ([[1], [2]], [1, 2]),
        ((0.1, 0.2), (0.1, 0.2 + 1e-12)),
        ({"a": 1}, [1]),
        ("w.pt", None),
        (pd.Series(["a", "b"]).unique(), ["a", "c"]),
        (pd.Index([1, 2]), [1, 2, 3]),
    ],
)
def test_not_the_same(a, b):
    assert not same_value(a, b)
    assert not same_value(b, kept(a))


def test_each_is_like_itself_alone():
    for i, a in enumerate(ALL):
        for j, b in enumerate(ALL):
            assert same_value(a, b) == (i == j)


def test_what_is_kept_does_not_follow_its_owner():
    setting = {"sizes": [1, 2], "mean": np.zeros(2)}
    before = kept(setting)
    setting["sizes"].append(3)
    setting["mean"][0] = 1
    assert same_value(before, {"sizes": [1, 2], "mean": [0, 0]})


def warm(cls, output):
    return cls(
        "small_cnn",
        output=output,
        classes=np.arange(2),
        normalize=(np.zeros(1), [1.0]),
        module_params={"width": 4},
        warm_start=True,
        max_epochs=1,
        device="cpu",
    ).fit(X, Y)


@pytest.mark.parametrize("cls", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("output", [first_of, Picks()], ids=["function", "object"])
@pytest.mark.parametrize(
    "travel", [lambda c: c, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_a_warm_start_after_a_journey(cls, output, travel):
    clf = travel(warm(cls, output))
    clf.set_params(classes=[0, 1], normalize=([0.0], np.ones(1)))
    clf.fit(X, Y)
    with pytest.raises(ValueError, match="'module__width' .* warm_start=True|'module_params' .*"):
        clf.set_params(module__width=8).fit(X, Y)


@pytest.mark.slow
def test_a_warm_start_in_another_process(tmp_path):
    """Settings were compared by their reprs, which hold addresses."""
    (tmp_path / "clf.pkl").write_bytes(pickle.dumps(warm(CNNClassifier, Picks())))
    code = (
        "import pickle, sys; from tests.estimators.test_same_value import X, Y;"
        "pickle.load(open(sys.argv[1], 'rb')).fit(X, Y)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "clf.pkl")], check=True, cwd=root)
