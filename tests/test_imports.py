"""Arrows between the rooms point one way, and what is heavy comes in when it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skactive
from skactive import strategies

ROOT = Path(skactive.__file__).parent
SHARED = {
    "_allocator",
    "_batches",
    "_device",
    "_draws",
    "_faults",
    "_file_locks",
    "_generators",
    "_interrupts",
    "_items",
    "_kappa",
    "_memory",
    "_one_label",
    "_optional",
    "_own_code",
    "_own_gpu",
    "_parts",
    "_phrases",
    "_plain_torch",
    "_paths",
    "_pool",
    "_predictions",
    "_progress",
    "_refit",
    "_renamed",
    "_rng",
    "_scoring",
    "_threads",
    "_validation",
    "_whole_files",
    "exceptions",
}
# What each room may import, besides itself and what serves all.
ALLOWED = {
    "_modal": {"_batches", "_items", "_modal_labels", "_modal_teach", "_one_label", "_validation"},
    "_modal_labels": {"_one_label"},
    "_modal_teach": {"_interrupts", "_parts"},
    "_interrupts": set(),
    "_one_label": {"_validation"},
    "_modal_hook": {"_modal"},
    "_validation": {"_faults", "_phrases", "exceptions"},
    "exceptions": {"_faults", "_phrases"},
    "_faults": {"_phrases"},
    "_file_locks": set(),
    "_phrases": set(),
    "_allocator": set(),
    "_batches": {"_items", "_validation", "exceptions"},
    "_device": {"_validation"},
    "_plain_torch": set(),
    "_generators": set(),
    "_draws": {"_generators"},
    "_scoring": {"_allocator", "_device", "_draws", "_generators", "_plain_torch"},
    "_rng": {"_validation"},
    "_kappa": set(),
    "_memory": set(),
    "_threads": set(),
    "_optional": set(),
    "_own_code": set(),
    "_own_gpu": {"_file_locks"},
    "_parts": set(),
    "_renamed": set(),
    "_items": {"_validation", "exceptions"},
    "_paths": set(),
    "_pool": {"_batches", "_validation"},
    "_predictions": {"_one_label", "_validation", "exceptions"},
    "_progress": set(),
    "_refit": {"_generators", "_interrupts", "_parts", "_rng"},
    "_whole_files": set(),
    "protocols": set(),
    "gradients": SHARED,
    "selection": SHARED,
    "fisher": SHARED | {"gradients", "selection"},
    "estimators": SHARED,
    "datasets": SHARED,
    "strategies": SHARED | {"fisher", "gradients", "selection", "_modal"},
    "stopping": SHARED,
    "experiments": SHARED | {"strategies", "stopping"},
    "plotting": SHARED | {"experiments"},
    "testing": SHARED | {"estimators", "selection", "strategies", "_modal"},
    "labelling": SHARED | {"experiments", "estimators", "datasets", "strategies"},
    "cli": SHARED
    | {"experiments", "plotting", "datasets", "estimators", "strategies", "stopping", "labelling"}
    | {""},
    "__main__": {"cli"},
    "__init__": {
        "_modal_hook",
        "datasets",
        "estimators",
        "exceptions",
        "experiments",
        "fisher",
        "gradients",
        "labelling",
        "plotting",
        "protocols",
        "selection",
        "stopping",
        "strategies",
        "testing",
    },
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path):
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            if node.module == "skactive":
                yield from (f"skactive.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows(path):
    here = room(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "modAL":
            assert here == "_modal", f"only _modal.py imports modAL, {path} does too"
        if top != "skactive" or not rest:
            continue
        there = rest.partition(".")[0]
        if there == "__version__":
            continue
        assert there == here or there in ALLOWED[here], f"{path} must not import {name}"


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} <= set(ALLOWED)


def test_private_files_are_imported_from_their_own_room_only():
    for path in FILES:
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "skactive" and len(parts) > 2 and parts[2].startswith("_"):
                assert parts[1] == room(path), f"{path} imports {name}"


HEAVY = {"torch", "torchvision", "numpy", "scipy", "pandas", "sklearn", "skorch", "modAL"}
HEAVY |= {"joblib", "matplotlib", "tqdm", "PIL", "pytest", "starlette", "uvicorn"}


def run(code):
    """Run code in a fresh process; return the names that it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import skactive",
        "import skactive; dir(skactive), skactive.__all__, skactive.strategies.__all__",
        "import skactive; hasattr(skactive, 'nope'), hasattr(skactive, '__wrapped__')",
        "import skactive.strategies as s; dir(s), hasattr(s, 'nope')",
        "import skactive.exceptions",
        "from skactive.labelling import LabelSession",
    ],
)
def test_importing_skactive_is_light(code):
    assert HEAVY & set(run(f"import sys; {code}; print(*sys.modules)")) == set()


@pytest.mark.parametrize(
    "code",
    [
        "from skactive import Margin",
        "from skactive import CNNClassifier",
        "from skactive import *",
        "from skactive.experiments import run_experiment",
        "from skactive.datasets import load_fashion_mnist",
    ],
)
def test_some_come_in_later(code, warm):
    status, printed = warm.run(f"import sys; {code}; print(*sys.modules)")
    assert status == 0, printed
    found = set(printed.split())
    assert "numpy" in found
    assert {"torchvision", "matplotlib", "pytest", "modAL", "skactive._modal"} & found == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pandas_comes_in_when_used(path):
    # _modal mends modAL's use of it, and modAL has imported it then
    if room(path) == "_modal":
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in body if isinstance(node, ast.ImportFrom)]
    assert "pandas" not in {name.partition(".")[0] for name in names}


# Names on demand ----------------------------------------------------------------------------


def test_all_lists_what_there_is():
    tree = ast.parse((ROOT / "strategies" / "_public.py").read_text(encoding="utf-8"))
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    public = [alias.asname for node in imported for alias in node.names]
    assert sorted(strategies.__all__) == sorted(public)
    images = ["ImageCache", "ImageReader", "LPLClassifier", "ShardedPool"]
    assert skactive.__all__ == ["CNNClassifier", "Embedder", *images, *strategies.__all__]
    for name in skactive.__all__:
        value = getattr(skactive, name)
        assert value.__name__ == name
        assert vars(skactive)[name] is value  # kept, so that it is looked for only once
        assert getattr(value, "__module__", "").startswith("skactive.")


def test_public_rooms_are_attributes(warm):
    public = {path.stem for path in ROOT.iterdir() if path.stem[0] not in "_." and path != ROOT}
    names = sorted(public - {"cli", "py"})
    assert set(names) == {*skactive._MODULES, "strategies"}
    code = "import skactive; print(*(getattr(skactive, name).__name__ for name in {}))"
    status, printed = warm.run(code.format(names))
    assert (status, printed.split()) == (0, [f"skactive.{name}" for name in names])


def test_a_star_brings_every_name(warm):
    code = "from skactive import *; import skactive; print(*(set(skactive.__all__) - set(dir())))"
    assert warm.run(code) == (0, "\n")


def test_dir_has_every_name():
    names = {*skactive.__all__, *skactive._MODULES, "__version__", "__all__"}
    assert set(run("import skactive; print(*dir(skactive))")) >= names
    code = "from skactive import strategies; print(*dir(strategies))"
    assert set(run(code)) >= {*strategies.__all__, "__all__"}


@pytest.mark.parametrize("module", [skactive, strategies], ids=lambda module: module.__name__)
def test_a_misspelt_name_is_named(module):
    name = module.__name__
    assert not hasattr(module, "nope")
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nope'"):
        _ = module.nope
    with pytest.raises(ImportError, match=f"cannot import name 'nope' from '{name}'"):
        exec(f"from {name} import nope")
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}.nope'"):
        exec(f"import {name}.nope")
    code = f"import {name}; {name}.Margn"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert failed.stderr.endswith("has no attribute 'Margn'. Did you mean: 'Margin'?\n")
