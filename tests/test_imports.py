"""Arrows between the rooms point one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skactive

ROOT = Path(skactive.__file__).parent
SHARED = {
    "_allocator", "_memory", "_optional", "_renamed", "_rng", "_sub_pool", "_torch", "_validation",
    "exceptions",
}  # fmt: skip
# What each room may import, besides itself and what serves all.
ALLOWED = {
    "_modal": {"_validation"},
    "_validation": {"exceptions"},
    "exceptions": set(),
    "_allocator": set(),
    "_torch": {"_allocator", "_validation", "exceptions"},
    "_rng": {"_validation"},
    "_memory": {"_factors"},
    "_optional": set(),
    "_renamed": set(),
    "_sub_pool": {"_torch"},
    "_factors": {"_validation"},
    "gradients": SHARED | {"_factors"},
    "selection": SHARED | {"_factors"},
    "estimators": SHARED,
    "datasets": SHARED,
    "strategies": SHARED | {"gradients", "selection", "_modal"},
    "experiments": SHARED | {"strategies"},
    "plotting": SHARED | {"experiments"},
    "cli": SHARED | {"experiments", "plotting", "datasets", "estimators", "strategies", ""},
    "__main__": {"cli"},
    "__init__": {"_modal", "estimators", "strategies"},
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


def test_importing_skactive_is_light():
    code = (
        "import sys, skactive; heavy = {'torchvision', 'matplotlib', 'pytest'} & "
        "set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pandas_comes_in_when_used(path):
    # modAL imports it anyway, so that sys.modules would not tell; _modal mends its use there
    if room(path) == "_modal":
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in body if isinstance(node, ast.ImportFrom)]
    assert "pandas" not in {name.partition(".")[0] for name in names}
