"""modAL is mended in whatever order it and skactive are imported; each order in a fresh process."""

import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skactive import Margin
from skactive._modal_hook import ModalFinder

# Whether functions and classes are mended, and nothing is left of the hook but its finder.
MENDED = """
def mended():
    import sys
    import numpy as np
    from modAL.models import ActiveLearner
    from sklearn.linear_model import LogisticRegression
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
    learner = ActiveLearner(LogisticRegression(), X_training=X[:6], y_training=y[:6])
    learner.teach(X[6:], y[6:])
    assert len(learner.X_training) == 12
    assert repr(learner).startswith("ActiveLearner(")
    holders = [vars(module) for name, module in sys.modules.items() if name.startswith("modAL.")]
    for helper in ("data_vstack", "retrieve_rows"):
        held = [names[helper].__module__ for names in holders if helper in names]
        assert len(held) >= 2
        assert set(held) == {"skactive._modal"}
    assert type(sys.modules["modAL"].__spec__.loader).__name__ == "SourceFileLoader"
    assert sys.modules["modAL"].__loader__ is sys.modules["modAL"].__spec__.loader
    assert [getattr(f, "__name__", "") for f in sys.meta_path].count("ModalFinder") == 1
    return True
"""

ORDERS = {
    "skactive first": "import skactive; assert 'modAL' not in sys.modules; import modAL",
    "from a package": "import skactive; from modAL.models import ActiveLearner",
    "a module of it": "import skactive; import modAL.utils.data",
    "by its name": "import skactive, importlib; importlib.import_module('modAL.disagreement')",
    "a module that takes its names": """
import skactive
from modAL.batch import uncertainty_batch_sampling
""",
    "a room alone": "import skactive.exceptions; from modAL.models import Committee",
    "modAL first": "import modAL; import skactive; assert 'torch' in sys.modules",
    "a module of modAL first": "from modAL.batch import data_vstack; from skactive import Margin",
    "between strategies": "from skactive import Margin; import modAL; from skactive import BADGE",
    "both twice": """
import importlib, skactive, modAL
importlib.reload(skactive)
importlib.reload(modAL)
""",
    "modAL removed, and anew": """
import skactive, modAL
held = modAL.ActiveLearner
for name in [name for name in sys.modules if name.partition(".")[0] == "modAL"]:
    del sys.modules[name]
import modAL
assert modAL.ActiveLearner is not held
""",
    "modAL's package alone removed": """
import skactive, modAL
held = modAL.ActiveLearner.__init__
del sys.modules["modAL"]
import modAL
assert modAL.ActiveLearner.__init__ is held
""",
    "after an import that failed half-way": """
import skactive
for _ in range(2):
    sys.modules["modAL.models.learners"] = None
    try:
        import modAL
    except ImportError as error:
        assert "modAL.models.learners" in str(error)
    else:
        raise AssertionError("it was to fail")
    assert "modAL" not in sys.modules
del sys.modules["modAL.models.learners"]
""",
    "after it was looked for": """
import importlib.metadata, importlib.resources, importlib.util, pkgutil
import skactive
spec = importlib.util.find_spec("modAL")
assert spec.loader.is_package("modAL")
assert "ActiveLearner" in spec.loader.get_source("modAL")
assert [m.name for m in pkgutil.iter_modules() if m.name == "modAL"] == ["modAL"]
assert importlib.metadata.version("modAL-python")
importlib.invalidate_caches()
assert {"modAL", "torch"} & set(sys.modules) == set()
import modAL
assert importlib.resources.files("modAL").joinpath("batch.py").is_file()
""",
    "from threads": """
import threading
import skactive
together, seen = threading.Barrier(4), []
def use(name):
    together.wait()
    __import__(name)
    seen.append(sys.modules["modAL.models.base"].retrieve_rows.__module__)
names = ["modAL", "modAL.models", "modAL.utils.data", "modAL.models.base"]
threads = [threading.Thread(target=use, args=[name]) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert seen == ["skactive._modal"] * 4, seen
""",
    "both from threads": """
import threading
together = threading.Barrier(2)
def use(name):
    together.wait()
    __import__(name)
threads = [threading.Thread(target=use, args=[name]) for name in ["modAL", "skactive"]]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
}


# Orders that are about torch's coming in.
COLD = ["modAL first", "after it was looked for"]


@pytest.fixture
def run(warm):
    def to_the_end(code):
        status, said = warm.run(code)
        assert status == 0, said

    return to_the_end


@pytest.mark.parametrize("order", [order for order in ORDERS if order not in COLD])
def test_order(order, run):
    run(f"{MENDED}\nimport sys\n{ORDERS[order]}\nassert mended()")


@pytest.mark.slow
@pytest.mark.parametrize("order", COLD)
def test_order_without_torch_before(order):
    code = f"{MENDED}\nimport sys\n{ORDERS[order]}\nassert mended()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unpickled_learner(tmp_path, run):
    from modAL.models import ActiveLearner

    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
    learner = ActiveLearner(LogisticRegression(), Margin(), X_training=X, y_training=y)
    (tmp_path / "learner").write_bytes(pickle.dumps(learner))
    run(f"""{MENDED}
import pickle, sys
with open({str(tmp_path / "learner")!r}, "rb") as file:
    learner = pickle.load(file)
assert mended()
indices, _ = learner.query(learner.X_training, n_instances=2)
assert len(indices) == 2
""")


def test_without_modal_all_but_learners_works(run):
    run("""
import sys
sys.modules["modAL"] = None  # as if it were not there
import numpy as np
from sklearn.linear_model import LogisticRegression
import skactive
X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
assert len(skactive.Margin().select(LogisticRegression().fit(X, y), X, 3).indices) == 3
try:
    import modAL
except ModuleNotFoundError as error:
    assert error.name == "modAL"
else:
    raise AssertionError("it was to fail")
""")


def test_select_imports_no_modal(run):
    run("""
import sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from skactive import Margin
X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
Margin().select(LogisticRegression().fit(X, y), X, 3)
assert "modAL" not in sys.modules
""")


def test_the_finder_leaves_other_modules_to_others(monkeypatch):
    asked = []

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            asked.append(name)

    monkeypatch.setattr(sys, "meta_path", [ModalFinder, Finder])
    assert ModalFinder.find_spec("modAL.models", ["somewhere"]) is None
    assert ModalFinder.find_spec("modAL_else") is None
    assert asked == []
    assert ModalFinder.find_spec("modAL") is None  # nobody finds it
    assert asked == ["modAL"]


def test_finders_before_it_are_not_asked_again(monkeypatch):
    class Before:
        @staticmethod
        def find_spec(name, path=None, target=None):
            raise AssertionError("it was asked already")

    origin = find_spec("modAL").origin
    monkeypatch.setattr(sys, "meta_path", [Before, *sys.meta_path])
    assert ModalFinder.find_spec("modAL").origin == origin


MODAL = Path(find_spec("modAL").origin).parent
MODULES = [
    ".".join(["modAL", *path.relative_to(MODAL).with_suffix("").parts]).removesuffix(".__init__")
    for path in sorted(MODAL.rglob("*.py"))
]


@pytest.mark.parametrize("first", [[], ["modAL"]], ids=["skactive first", "modAL first"])
def test_every_module_of_modal_is_imported(first, run):
    """`np.float` and a module of scikit-learn are gone; nothing is set beforehand (modAL#196)."""
    assert {"modAL.cluster", "modAL.expected_error", "modAL.batch"} <= set(MODULES)
    imports = "; ".join(f"import {name}" for name in [*first, "skactive", *MODULES])
    run(f"import warnings; warnings.simplefilter('error', SyntaxWarning); {imports}")
