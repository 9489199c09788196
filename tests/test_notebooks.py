"""The teaching notebooks: clean, public, foldable. `make docs` runs them and renders them."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code(path):
    return [source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def test_they_are_numbered_from_one():
    assert [path.stem.split("_")[0] for path in NOTEBOOKS] == [
        str(i) for i in range(1, len(NOTEBOOKS) + 1)
    ]


@every_notebook
def test_it_is_committed_without_outputs(path):
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], cell["id"]
            assert cell["execution_count"] is None, cell["id"]
        assert "execution" not in cell["metadata"], cell["id"]
    identifiers = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identifiers)) == len(identifiers)


@every_notebook
def test_it_begins_with_a_title_and_its_goals(path):
    first = read(path)["cells"][0]
    assert first["cell_type"] == "markdown"
    assert source(first).startswith("# ")
    assert re.search(r"After this notebook you can\W*\n+- ", source(first))


def is_folded(cell):
    """Whether Jupyter and the site show this cell folded."""
    if cell["cell_type"] == "markdown":
        return "<details>" in source(cell) and "</details>" in source(cell)
    hidden = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
    return "hide-cell" in cell["metadata"].get("tags", []) and hidden


@every_notebook
def test_it_ends_with_exercises_whose_solutions_are_folded_away(path):
    cells = read(path)["cells"]
    chapters = [
        (i, line)
        for i, cell in enumerate(cells)
        if cell["cell_type"] == "markdown"
        for line in source(cell).splitlines()
        if line.startswith("## ")
    ]
    start, title = chapters[-1]
    assert title == "## Exercises"
    exercises = cells[start:]
    assert sum(map(is_folded, exercises)) >= 2
    assert all(is_folded(cell) for cell in exercises if cell["cell_type"] == "code")
    assert not any(is_folded(cell) for cell in cells[:start])


@every_notebook
def test_it_can_be_shrunk(path):
    text = "\n".join(code(path))
    assert text.count('SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))') == 1
    assert text.count("SMOKE") > 2


@every_notebook
def test_it_imports_only_public_names(path):
    for node in ast.walk(ast.parse("\n\n".join(code(path)))):
        if isinstance(node, ast.Import):
            for name in node.names:
                assert name.name == "skactive" or not name.name.startswith("skactive")
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "skactive":
            public = importlib.import_module(node.module).__all__
            assert {name.name for name in node.names} <= set(public)
