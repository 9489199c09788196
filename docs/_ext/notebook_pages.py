"""Runs the notebooks of `examples/notebooks/`, and lays them where myst-nb reads them.

A notebook that has not changed is not run again. Each gets a line below its title that leads to the
file itself. nbclient runs them here, and not myst-nb, since myst-nb shows every state of a progress
bar on a line of its own.
"""

import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
LINE = (
    "{{download}}`Download this notebook <../../examples/notebooks/{}>` to run it yourself: "
    "it needs skactive, Jupyter and no network."
)


def notebooks():
    """Return the notebooks' paths, in the order of their numbers."""
    return sorted(FOLDER.glob("*.ipynb"))


def pages():
    """Return the text of each page before it is run, by file name."""
    found = {}
    for path in notebooks():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        first = notebook["cells"][0]
        title, _, rest = "".join(first["source"]).partition("\n")
        first["source"] = f"{title}\n\n{LINE.format(path.name)}\n{rest}"
        found[path.name] = json.dumps(notebook, ensure_ascii=False, indent=1)
    return found


def run(text):
    """Return the text of a notebook with its outputs; an error in it is raised."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(text, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            coalesce_streams=True,
            record_timing=False,
            startup_timeout=600,
            iopub_timeout=600,  # a busy machine is no error
            resources={"metadata": {"path": folder}},
        ).execute()
    return nbformat.writes(notebook)


def write_pages(app, config):
    """Write into `notebooks/` what changed, or ran whole before and shall now run in small."""
    folder, wanted = Path(app.srcdir) / "notebooks", pages()
    record = folder / "ran.json"  # what was run, and how, to give the pages that are there
    ran = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    for path in folder.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        page, how = folder / name, [os.environ.get("SKACTIVE_SMOKE", ""), text]
        if page.is_file() and ran.get(name) == how:
            continue
        start = time.perf_counter()
        page.write_text(run(text), encoding="utf-8")
        print(f"{name}: ran in {time.perf_counter() - start:.0f} s")
        ran[name] = how
        record.write_text(json.dumps(ran), encoding="utf-8")


def setup(app):
    """Register the extension; it writes before Sphinx collects the files to read."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True}
