"""Lays the notebooks of `examples/notebooks/` where Sphinx reads them; myst-nb runs them.

Each gets a line below its title that leads to the file itself.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
LINE = (
    "{{download}}`Download this notebook <../../examples/notebooks/{}>` to run it yourself: "
    "it needs skactive, Jupyter and no network."
)


def notebooks():
    """Return the notebooks' paths, in the order of their numbers."""
    return sorted(FOLDER.glob("*.ipynb"))


def pages():
    """Return the text of each page, by file name."""
    found = {}
    for path in notebooks():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        first = notebook["cells"][0]
        title, _, rest = "".join(first["source"]).partition("\n")
        first["source"] = f"{title}\n\n{LINE.format(path.name)}\n{rest}"
        found[path.name] = json.dumps(notebook, ensure_ascii=False, indent=1)
    return found


def write_pages(app, config):
    """Write into `notebooks/` what changed, so that Sphinx runs no other notebook anew."""
    folder, wanted = Path(app.srcdir) / "notebooks", pages()
    for path in folder.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Register the extension; it writes before Sphinx collects the files to read."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True}
