"""Passages of code that stand in two places: `python -m tests.repeats`.

Compared are lines of code, whatever their indentation: no docstrings, comments, imports or empty
lines. tests/test_repeats.py bounds the number of passages.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import skactive

ROOT = Path(skactive.__file__).parent
LEAST = 6

# A line's number and text; the text is None where a passage ends.
Lines = list[tuple[int, str | None]]
Place = tuple[str, int]
Passage = tuple[Place, Place, list[str]]


def code_lines(source: str, parameters: bool) -> Lines:
    """Return the lines of code; with `parameters`, those of signatures and constructors, too.

    Classes of one kind have the same ones, as in scikit-learn. Without them, passages end there.
    """
    left_out, ends = set[int](), set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            left_out |= _lines_of(node)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            documented = ast.get_docstring(node) is not None
            left_out |= _lines_of(node.body[0]) if documented else set()
        if isinstance(node, ast.FunctionDef) and not parameters:
            whole = node.name == "__init__"
            ends |= _lines_of(node) if whole else set(range(node.lineno, node.body[0].lineno))
    found: Lines = []
    for number, line in enumerate(source.splitlines(), 1):
        text = " ".join(line.split())
        if text and not text.startswith("#") and number not in left_out:
            found.append((number, None if number in ends else text))
    return found


def _lines_of(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def repeated(files: dict[str, Lines]) -> list[Passage]:
    """Return each two places at which as many equal lines as possible stand, at least `LEAST`."""
    starts = defaultdict[tuple[str | None, ...], list[tuple[str, int]]](list)
    for name, lines in files.items():
        texts = [text for _, text in lines]
        for i in range(len(texts) - LEAST + 1):
            if None not in texts[i : i + LEAST]:
                starts[tuple(texts[i : i + LEAST])].append((name, i))
    found = []
    for places in starts.values():
        for (one, i), (other, j) in combinations(places, 2):
            a, b = files[one], files[other]
            before = i > 0 and j > 0 and a[i - 1][1] == b[j - 1][1] is not None
            if not before:  # else the passage begins earlier
                found.append(((one, a[i][0]), (other, b[j][0]), _alike(a[i:], b[j:])))
    return found


def _alike(a: Lines, b: Lines) -> list[str]:
    texts = []
    for (_, one), (_, other) in zip(a, b, strict=False):
        if one is None or one != other:
            break
        texts.append(one)
    return texts


def in_package(parameters: bool) -> list[Passage]:
    """Return the repeated passages of skactive."""
    return repeated(
        {
            path.relative_to(ROOT).as_posix(): code_lines(path.read_text("utf-8"), parameters)
            for path in sorted(ROOT.rglob("*.py"))
        }
    )


if __name__ == "__main__":
    for (one, at), (other, there), texts in in_package(parameters=False):
        print(f"{one}:{at} and {other}:{there}, {len(texts)} lines")
        print("    " + "\n    ".join(texts))
    print(f"{len(in_package(True))} with signatures and constructors")
