"""Modules and functions that can be read in one sitting, and one name for one thing."""

import ast
from collections import defaultdict
from pathlib import Path
from statistics import median

import skactive

ROOT = Path(skactive.__file__).parent
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}
LONGEST_MODULE, MEDIAN_MODULE, LONGEST_FUNCTION = 450, 150, 62
# The functions that are longer, how long they may be at most, and why. None is to be added.
LONG_FUNCTIONS = {
    "cli/_demo.py: add_demo": 91,  # declares the options of a command, one after the other
    "estimators/_cnn_classifier.py: __init__": 64,  # one line per parameter, twice
    "estimators/_lpl_classifier.py: __init__": 76,  # stores the parameters of two networks
    "estimators/_make_net.py: make_net": 67,
    "experiments/_runner.py: run_experiment": 85,  # half of it is its signature
}


def lines_of(name):
    return len((ROOT / name).read_text(encoding="utf-8").splitlines())


def functions():
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{file}: {node.name}", node


def body_lines(function):
    """Lines from `def` on, without the docstring and its quotes."""
    documented = ast.get_docstring(function) is not None
    text = function.body[0] if documented else None
    return (
        function.end_lineno
        - function.lineno
        + 1
        - (text.end_lineno - text.lineno + 1 if text else 0)
    )


def test_modules():
    sizes = {name: lines_of(name) for name in TREES}
    assert {name: n for name, n in sizes.items() if n > LONGEST_MODULE} == {}
    assert median(sizes.values()) <= MEDIAN_MODULE


def test_functions():
    sizes = {name: body_lines(node) for name, node in functions()}
    assert {n: m for n, m in sizes.items() if m > LONG_FUNCTIONS.get(n, LONGEST_FUNCTION)} == {}


def test_no_two_classes_of_one_name():
    found = defaultdict(list)
    for file, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
