"""Few passages of six equal lines of code or more stand in two places.

Strategies, estimators and displays have parameters in common, which stand in their signatures and
constructors, as in scikit-learn: they are counted apart.
"""

import pytest

from tests.repeats import code_lines, in_package, repeated

WITH_PARAMETERS = 111
# What repeats beside them, and why.
OTHERS = [
    ("__init__.py", "estimators/__init__.py"),  # public names, some of them in both
    ("__init__.py", "strategies/__init__.py"),  # Python's error for a name that is not there
    (
        "experiments/_metrics.py",
        "experiments/_records.py",
    ),
]
ADDED = """
def add(self, a,
        b):
    x1 = a
    x2 = b
    x3 = x1
    x4 = x2
    x5 = x3
    return x4
"""


def test_passages():
    assert len(in_package(parameters=True)) <= WITH_PARAMETERS
    found = [(one, other) for (one, _), (other, _), _ in in_package(parameters=False)]
    assert [pair for pair in found if pair not in OTHERS] == []
    assert len(found) <= len(OTHERS)


@pytest.mark.parametrize(("parameters", "n"), [(True, 8), (False, 6)])
def test_a_copy_is_found(parameters, n):
    other = "class A:\n" + ADDED.replace("\n", "\n    ").replace(
        "x3 = x1", "x3  =  x1\n\n    # why"
    )
    files = {"a.py": code_lines(ADDED, parameters), "b.py": code_lines(other, parameters)}
    ((one, there, texts),) = repeated(files)
    assert (one[0], there[0], len(texts)) == ("a.py", "b.py", n)


def test_docstrings_imports_and_short_passages_are_not_counted():
    source = (
        '"""\n' + "\n".join("abcdefg") + '\n"""\n' + "\n".join(f"import {c}" for c in "abcdefg")
    )
    assert repeated({"a.py": code_lines(source, True), "b.py": code_lines(source, True)}) == []
    five = "\n".join("abcde")
    assert repeated({"a.py": code_lines(five, True), "b.py": code_lines(five, True)}) == []
