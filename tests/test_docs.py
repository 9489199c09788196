"""The site: its code blocks run, and no public name, strategy's paper or page is missing.

That the site builds without a warning, and that its links lead somewhere, is `make docs`.
"""

import importlib
import inspect
import json
import re
import sys
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import skactive
from tests.few_images import give_few_images

DOCS = Path(__file__).parent.parent / "docs"
NOTEBOOKS = sorted((DOCS.parent / "examples" / "notebooks").glob("*.ipynb"))
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if not {"_build", "auto_examples"} & set(path.parts)
)
# A block is not run where this comment, with a reason, stands before it.
BLOCK = re.compile(r"(<!-- not run: [^>]+ -->\n+)?```python\n(.*?)```", re.DOTALL)


def blocks(page):
    text = page.read_text(encoding="utf-8")
    found = [(skip, code) for skip, code in BLOCK.findall(text)]
    assert len(found) == text.count("```python")
    return [code for skip, code in found if not skip]


def name_of(page):
    return page.relative_to(DOCS).as_posix()


@pytest.fixture
def api_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield importlib.import_module("api_pages")
    del sys.modules["api_pages"]


@pytest.fixture
def small(monkeypatch):
    """Give fewer images than the package has, and workers of Dask that are threads here."""
    give_few_images(monkeypatch, n_train=700, n_test=100)
    cluster = pytest.importorskip("distributed").LocalCluster
    monkeypatch.setattr("distributed.LocalCluster", partial(cluster, processes=False))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
@pytest.mark.usefixtures("small")
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    scope = {"__name__": "__main__"}
    try:
        for code in blocks(page):
            exec(compile(code, name_of(page), "exec"), scope)
    finally:
        plt.close("all")


def test_every_public_name_is_in_the_api_reference(api_pages):
    pages = api_pages.pages()
    listed = re.findall(r"^   ~(\S+)$", "\n".join(pages.values()), re.MULTILINE)
    assert len(listed) == len(set(listed))
    objects = []
    for path in listed:
        module, _, name = path.rpartition(".")
        objects.append(getattr(importlib.import_module(module), name))
    for name in skactive.__all__:
        assert getattr(skactive, name) in objects, name
    for file in sorted(Path(skactive.__file__).parent.iterdir()):
        if file.name.startswith("_") or file.suffix not in {"", ".py"}:
            continue
        module = importlib.import_module(f"skactive.{file.stem}")
        for name in getattr(module, "__all__", []):
            assert getattr(module, name) in objects, f"{module.__name__}.{name}"


def test_a_name_that_is_left_out_would_be_noticed(api_pages, monkeypatch):
    monkeypatch.setattr(api_pages, "public_modules", lambda: ["strategies"])
    assert "gradients.rst" not in api_pages.pages()
    with pytest.raises(AssertionError):
        test_every_public_name_is_in_the_api_reference(api_pages)


def test_every_paper_that_a_docstring_cites_is_in_the_bibliography(api_pages):
    bibliography = (DOCS / "references.bib").read_text(encoding="utf-8")
    for _, _, paths in api_pages.sections():
        for path in paths:
            module, _, name = path.rpartition(".")
            doc = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
            for number in re.findall(r"arXiv:?\s(\d{4}\.\d{5})", doc.replace(":", ": ")):
                assert f"arXiv:{number}" in bibliography, f"{path} cites {number}"


def test_the_keys_that_pages_cite_exist():
    known = set(re.findall(r"^@\w+\{(\w+),", (DOCS / "references.bib").read_text(), re.MULTILINE))
    for page in PAGES:
        for keys in re.findall(r"\{cite:p\}`([^`]+)`", page.read_text(encoding="utf-8")):
            assert set(keys.split(",")) <= known, f"{name_of(page)}: {keys}"


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="nowhere.html">', "nowhere.html: no such file"),
        ('<a href="#nowhere">', "#nowhere: no such anchor"),
        ('<a href="other.html#nowhere">', "other.html#nowhere: no such anchor"),
        ('<img src="none.png">', "none.png: no such file"),
        ('<a href="other.html#here"> <a href="https://example.org/none"> <a href="#">', None),
    ],
)
def test_broken_links_are_found(html, problem, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    check_site = importlib.import_module("check_site")
    (tmp_path / "page.html").write_text(html)
    (tmp_path / "other.html").write_text('<p id="here">')
    found = check_site.broken_links(tmp_path)
    assert found == ([] if problem is None else [f"page.html: {problem}"])


@pytest.fixture
def notebook_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield importlib.import_module("notebook_pages")
    del sys.modules["notebook_pages"]


def test_a_notebook_without_a_page_is_found(notebook_pages, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    check_site = importlib.import_module("check_site")
    names = [path.name for path in NOTEBOOKS]
    assert names
    assert check_site.missing_notebooks(tmp_path) == [f"{name}: no page" for name in names]
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS:
        page = tmp_path / "notebooks" / f"{path.stem}.html"
        page.write_text('<img src="../_images/figure.png">')
    assert check_site.missing_notebooks(tmp_path) == []
    page.write_text("<p>It was not run.</p>")
    assert check_site.missing_notebooks(tmp_path) == [f"{names[-1]}: a page without a picture"]


def test_a_notebooks_page_is_the_notebook_and_leads_to_it(notebook_pages):
    pages = notebook_pages.pages()
    assert list(pages) == [path.name for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        before, after = json.loads(path.read_text(encoding="utf-8")), json.loads(pages[path.name])
        assert after["cells"][1:] == before["cells"][1:]
        first = after["cells"][0]["source"]
        (target,) = re.findall(r"{download}`[^`]+ <([^`>]+)>`", first)
        assert (DOCS / "notebooks" / target).resolve() == path.resolve()
        (line,) = [line for line in first.splitlines() if line.startswith("{download}")]
        assert first.replace(f"\n\n{line}\n", "\n", 1) == "".join(before["cells"][0]["source"])
