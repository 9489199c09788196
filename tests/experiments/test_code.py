"""Edited code behind `out=` is told apart, by what runs and by value (joblib#1533)."""

import functools
import importlib
import os
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skactive import CNNClassifier, CoreSet, Entropy, Hybrid, Margin
from skactive._validation import InvalidParameterError
from skactive.exceptions import ResultsMismatchError
from skactive.experiments import run_experiment
from skactive.experiments._plain import described
from tests.experiments.stubs import FlatSGD, Shuffled, Unsure, digits

LAB = '''
"""What a user has written."""
import functools
import numpy as np
import torch
import helpers
from skactive import Random
from tests.experiments.stubs import Shuffled, _flat

POWER = 2
SETTINGS = {"high": 1.0}

def twice(x):
    """Return it doubled."""
    return 2 * x  # a comment

def score(estimator, X, y, low=0.0, *, high=1.0):
    inner = [value for value in (0.25, 0.5) if value in {"a", 0.5}]
    return twice(float((estimator.predict(X) == y).mean())) + low + len(inner)

def make(power):
    def made(X):
        return _flat(X) ** power + helpers.shift(0) * SETTINGS["high"]
    return made

@functools.cache
def cached(x):
    return x + 1

class Base(Shuffled):
    share = 0.5

    def order(self, n):
        return np.arange(n)

    @property
    def last(self):
        return -1

    @staticmethod
    def nothing():
        return 0

class Mine(Base):
    def __init__(self, call=None, random_state=None):
        self.call = call
        self.random_state = random_state

    def select(self, estimator, X_pool, n_instances, **labelled):
        from types import SimpleNamespace
        return SimpleNamespace(indices=self.order(len(X_pool))[:n_instances] + cached(-1) * POWER)

class Call:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, X):
        return X * self.factor

class Net(torch.nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        self.line = torch.nn.Linear(2, 2)
        with torch.no_grad():
            self.line.weight.zero_()
            self.line.bias.zero_()

    def forward(self, X):
        return self.line(X) * self.scale
'''
HELPERS = "def shift(x):\n    return x + 1\ndef unused(x):\n    return x\n"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Import the user's module, with an edit or without, as a new process would."""
    folder = tmp_path / "lab"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(old="", new="", helpers=HELPERS):
        assert old in LAB
        (folder / "helpers.py").write_text(helpers)
        (folder / "lab.py").write_text(LAB.replace(old, new) if old else LAB)
        for name in ("helpers", "lab"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("lab")

    yield load
    for name in ("helpers", "lab"):
        sys.modules.pop(name, None)


def run(out, estimator=None, strategy=None, **changes):
    budget = {"n_initial": 20, "n_instances": 5, "n_rounds": 1, "seeds": 1, "progress": False}
    arms = {"s": strategy or Shuffled()}
    return run_experiment(estimator or FlatSGD(), arms, *digits(), **budget | changes, out=out)


WAYS = {
    "strategy": lambda lab: lab.Mine(),
    "composition": lambda lab: [Hybrid([Margin(), Entropy()]), lab.Mine()],
    "scorer": lambda lab: lab.score,
    "make_scorer": lambda lab: make_scorer(lab.twice),
    "closure": lambda lab: FunctionTransformer(lab.make(2)),
    "partial": lambda lab: functools.partial(lab.score, low=1.0),
    "method": lambda lab: lab.Mine().order,
    "callable": lambda lab: lab.Call(2),
    "class": lambda lab: lab.Net,
    "module": lambda lab: lab.Net(),
    "inside": lambda lab: torch.nn.Sequential(torch.nn.Flatten(), lab.Net()),
    "cached": lambda lab: lab.cached,
}


@pytest.mark.parametrize(
    ("way", "old", "new"),
    [
        ("strategy", "np.arange(n)", "np.arange(n)[::-1]"),  # in a base class
        ("strategy", "share = 0.5", "share = 0.25"),
        ("strategy", "return -1", "return -2"),  # a property
        ("strategy", "return 0\n", "return 1\n"),  # a static method
        ("strategy", "POWER = 2", "POWER = 3"),  # a global that a method reads
        ("strategy", "return x + 1", "return x + 2"),  # a cached function that it calls
        ("strategy", "class Mine(Base)", "class Mine(Shuffled)"),
        ("strategy", "call=None, ", "call='x', "),
        ("composition", "np.arange(n)", "np.arange(n)[::-1]"),
        ("scorer", "2 * x", "3 * x"),  # a function that it calls
        ("scorer", "low=0.0", "low=0.5"),
        ("scorer", "high=1.0):", "high=2.0):"),
        ("scorer", "(0.25, 0.5)", "(0.25, 0.75)"),  # a constant of a list comprehension
        ("scorer", "def score(estimator, X, y", "def score(estimator, Z, y"),
        ("make_scorer", "2 * x", "3 * x"),
        ("closure", "_flat(X) ** power", "_flat(X) * power"),
        ("closure", '{"high": 1.0}', '{"high": 2.0}'),
        ("partial", "2 * x", "3 * x"),
        ("method", "np.arange(n)", "np.arange(n)[::-1]"),
        ("callable", "X * self.factor", "X + self.factor"),
        ("class", "* self.scale", "+ self.scale"),
        ("module", "* self.scale", "+ self.scale"),
        ("inside", "* self.scale", "+ self.scale"),
        ("cached", "return x + 1", "return x + 2"),
    ],
)
def test_an_edit_is_seen(lab, way, old, new):
    before = described(WAYS[way](lab()))
    assert described(WAYS[way](lab())) == before  # another process finds it unchanged
    assert described(WAYS[way](lab(old, new))) != before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a comment", "  # another"),
        ("Return it doubled.", "Return twice that."),
        ("\nPOWER", "\n\n\nPOWER"),
        ("    return 2 * x", "    return (\n        2\n        * x\n    )"),
    ],
)
def test_comments_docstrings_and_layout_are_no_edit(lab, way, old, new):
    assert described(WAYS[way](lab(old, new))) == described(WAYS[way](lab()))


def test_functions_of_other_modules_of_the_user(lab):
    way = WAYS["closure"]
    before = described(way(lab()))
    assert described(way(lab(helpers=HELPERS.replace("x + 1", "x + 2")))) != before
    assert described(way(lab(helpers=HELPERS.replace("return x\n", "return -x\n")))) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda lab: lab.make(2), lambda lab: lab.make(3)),
        (lambda lab: lab.Call(2), lambda lab: lab.Call(3)),
        (lambda lab: lab.Call(np.arange(3)), lambda lab: lab.Call(np.arange(4))),
        (lambda lab: lab.Call(2).__call__, lambda lab: lab.Call(3).__call__),
        (lambda lab: lab.Net(1.0), lambda lab: lab.Net(2.0)),
        (
            lambda lab: functools.partial(lab.score, low=1.0),
            lambda lab: functools.partial(lab.score, low=2.0),
        ),
        (lambda lab: make_scorer(lab.twice), lambda lab: make_scorer(lab.cached)),
        (lambda lab: {"a": {lab.Call(1)}}, lambda lab: {"a": {lab.Call(2)}}),
    ],
)
def test_values_are_seen(lab, one, other):
    module = lab()
    assert described(one(module)) == described(one(module))
    assert described(one(module)) != described(other(module))


def fitted(seed, kind=StandardScaler):
    return kind().fit(np.random.default_rng(seed).normal(size=(20, 4)))


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: FrozenEstimator(fitted(seed)),
        lambda seed: CoreSet(embeddings=FrozenEstimator(fitted(seed, PCA))),
        lambda seed: FrozenEstimator(make_pipeline(fitted(seed), fitted(seed, PCA))),
        lambda seed: FunctionTransformer(fitted(seed).transform),
        lambda seed: make_pipeline(FunctionTransformer(fitted(seed, PCA).transform), FlatSGD()),
        lambda seed: FunctionTransformer(np.random.default_rng(seed).permutation),
    ],
)
def test_what_a_transformer_has_learned_is_seen_where_a_clone_keeps_it(make):
    assert described(make(0)) == described(make(0))
    assert described(make(0)) != described(make(1))


def test_what_a_clone_does_not_keep_is_no_difference():
    assert described(fitted(0)) == described(fitted(1)) == described(StandardScaler())


class Locked:
    def __init__(self):
        self.lock = threading.Lock()

    def __deepcopy__(self, memo):
        return self

    def __call__(self, X):
        return X


class Told(Locked):
    def __repr__(self):
        return "Told(1)"


def test_what_cannot_be_told_is_refused(tmp_path):
    message = (
        r"cannot tell <.*Locked object> from another Locked, and results that are kept .* Give the "
        r"class a __repr__ that says what decides its numbers, or leave out=None\.$"
    )
    with pytest.raises(InvalidParameterError, match=message):
        run(tmp_path / "new", make_pipeline(FunctionTransformer(Locked()), FlatSGD()))
    assert not (tmp_path / "new").exists()
    assert described(FunctionTransformer(Told()))["params"]["func"] == "Told(1)"
    with pytest.raises(InvalidParameterError, match="another lambda"):
        described(functools.partial(sorted, key=lambda x: x))


def test_an_edited_strategy_is_refused_and_named(lab, tmp_path):
    out = tmp_path / "out"
    first = run(out, strategy=lab().Mine()).frame
    again = run(out, strategy=lab().Mine()).frame
    assert again["train_seconds"].tolist() == first["train_seconds"].tolist()
    edited = lab("np.arange(n)", "np.arange(n)[::-1]")
    message = (
        r"configuration: strategies\.s\.code\.lab\.Base\.order was '.*' and is now '.*'\. Pass"
    )
    with pytest.raises(ResultsMismatchError, match=message):
        run(out, strategy=edited.Mine())
    # What runs decides, not what the file says by now.
    old = lab()
    (tmp_path / "lab" / "lab.py").write_text("")
    assert len(run(out, strategy=old.Mine()).frame) == 2


def test_many_differences_are_counted(tmp_path):
    run(tmp_path, strategy=Unsure())
    changes = {"n_initial": 10, "n_instances": 6, "initial": "balanced", "dataset": "other"}
    with pytest.raises(ResultsMismatchError, match=r"; and \d+ more\. Pass another out="):
        run(tmp_path, FlatSGD(0.5), Unsure(power=2), n_threads=3, **changes)


def test_an_edited_scorer(lab, tmp_path):
    run(tmp_path, metrics={"score": lab().score})
    with pytest.raises(ResultsMismatchError, match=r"metrics\.score\.code\.lab\.twice was"):
        run(tmp_path, metrics={"score": lab("2 * x", "3 * x").score})


SCRIPT = """
import sys
from sklearn.base import BaseEstimator
from types import SimpleNamespace
from tests.experiments.stubs import FlatSGD, digits
from skactive.experiments import run_experiment

class Mine(BaseEstimator):
    names = {"a", "b", "c", "d"}

    def select(self, estimator, X_pool, n_instances, **labelled):
        return SimpleNamespace(indices=[i for i in range(len(X_pool)) if i not in {"x", "y"}][:5])

run_experiment(FlatSGD(), {"s": Mine()}, *digits(), n_initial=20, n_instances=5, n_rounds=1,
               seeds=1, progress=False, out=sys.argv[1])
"""


@pytest.mark.slow
def test_classes_of_a_script_in_processes_of_their_own(tmp_path):
    """A set of strings is in another order in a process with another seed of hashes."""

    def execute(text, seed):
        command = [sys.executable, "-c", text, str(tmp_path / "out")]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    first = execute(SCRIPT, "1")
    assert first.returncode == 0, first.stderr
    # The same code again, and then, in the same process, an edit of it.
    both = f"""{SCRIPT}
print("again")
exec(compile({SCRIPT.replace("[:5]", "[-5:]")!r}, "<string>", "exec"))
"""
    again = execute(both, "2")
    assert again.stdout == "again\n", again.stderr
    assert "strategies.s.code.__main__.Mine.select was" in again.stderr


def test_functions_that_call_each_other_and_themselves():
    namespace = {"__name__": "notebook"}
    exec(
        textwrap.dedent("""
            def even(n): return n == 0 or odd(n - 1)
            def odd(n): return n != 0 and even(n - 1)
            class Node:
                def again(self): return Node()
            Node.other = Node
        """),
        namespace,
    )
    assert {"notebook.even", "notebook.odd"} <= described(namespace["even"])["code"].keys()
    assert "notebook.Node.again" in described(namespace["Node"])["code"]
    held = SimpleNamespace()
    held.itself = held
    assert described(held) == described(held)


def test_what_is_installed_is_known_by_its_version():
    assert described(np.linalg.norm) == "numpy.linalg.norm"
    assert described(accuracy_score) == "sklearn.metrics.accuracy_score"
    assert described(Margin()) == {
        "class": "skactive.strategies.Margin",
        "params": {"batch_size": 256, "device": None},
    }
    assert "code" not in described(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
    assert isinstance(described(torch.device("cpu")), str)
    assert issubclass(Shuffled, BaseEstimator)


@pytest.mark.parametrize(
    ("head", "inside", "call"),
    [
        ("from own.order import order", "pass", "order"),
        ("import own.order as o", "pass", "o.order"),
        ("import own.order", "pass", "own.order.order"),
        ("import own", "import own.order", "own.order.order"),
        ("", "from own.order import order", "order"),
        ("", "from own import order as o", "o.order"),
        ("", "import own.order as o", "o.order"),
    ],
)
def test_functions_in_modules_of_packages_however_they_are_imported(
    tmp_path, monkeypatch, head, inside, call
):
    """`import own.order` and imports within functions went unnoticed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    code = f"{head}\ndef choose(n):\n    {inside}\n    return {call}(n)\n"
    (tmp_path / "choosing.py").write_text(code)

    def told(source):
        (tmp_path / "own" / "order.py").write_text(
            f"import own\ndef order(n):\n    return {source}\n"
        )
        for name in ("own", "own.order", "choosing"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return described(importlib.import_module("choosing").choose)

    assert told("n") == told("n") != told("n + 1")
    for name in ("own", "own.order", "choosing"):
        del sys.modules[name]


def test_files_of_weights_count_by_what_is_in_them(tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"one")
    before = described(CNNClassifier(weights=str(file)))
    os.utime(file, (0, 0))
    assert described(CNNClassifier(weights=str(file))) == before
    file.write_bytes(b"two")
    assert described(CNNClassifier(weights=str(file))) != before


@pytest.mark.parametrize("one", [np.float64(0.1), np.float32(0.5), np.int8(3), np.bool_(True)])
def test_numbers_of_numpy_are_numbers(one):
    assert described(one) == one.item()
    assert type(described(one)) is type(one.item())
