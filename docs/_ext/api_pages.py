"""Writes the pages of the API reference: one for each public package, one for each public name.

What is public is what the `__all__` of `skactive` and of its public modules list; nothing is listed
here a second time. A name that `skactive` itself has appears under that shorter path only.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

import skactive

# In the order of the reader; modules that are not named here follow.
ORDER = ["estimators", "strategies", "datasets", "experiments", "stopping", "plotting", "gradients"]


def public_modules():
    """Return the names of the modules below `skactive` that declare public names."""
    found = [
        module.name
        for module in pkgutil.iter_modules(skactive.__path__)
        if not module.name.startswith("_")
        and hasattr(importlib.import_module(f"skactive.{module.name}"), "__all__")
    ]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else 99, name))


def sections():
    """Return, for each module, its own docstring and the paths of its public objects."""
    top = {name: getattr(skactive, name) for name in skactive.__all__}
    for name in public_modules():
        module = importlib.import_module(f"skactive.{name}")
        paths = []
        for public in module.__all__:
            value = getattr(module, public)
            short = public in top and top[public] is value
            paths.append(f"skactive.{public}" if short else f"skactive.{name}.{public}")
        yield name, inspect.getdoc(module), paths


def pages():
    """Return the text of each page, by file name."""
    found = {}
    for name, doc, paths in sections():
        title = f"skactive.{name}"
        lines = [title, "=" * len(title), "", doc, ""]
        groups = {"Classes": [], "Functions": []}
        for path in paths:
            owner, _, public = path.rpartition(".")
            value = getattr(importlib.import_module(owner), public)
            groups["Classes" if inspect.isclass(value) else "Functions"].append(path)
        for heading, members in groups.items():
            if members:
                lines += [heading, "-" * len(heading), ""]
                lines += [".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
                lines += [f"   ~{path}" for path in members] + [""]
        found[f"{name}.rst"] = "\n".join(lines)
    title = "API reference"
    lines = [
        title,
        "=" * len(title),
        "",
        "Estimators and query strategies are imported from ``skactive`` itself, all else from its"
        " packages.",
        "",
        ".. toctree::",
        "   :maxdepth: 2",
        "",
        *(f"   {Path(name).stem}" for name in found),
        "",
    ]
    found["index.rst"] = "\n".join(lines)
    return found


def write_pages(app, config):
    """Write into `api/` the pages that changed, so that Sphinx reads no other anew."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    public = {path for _, _, paths in sections() for path in paths}
    for page in (folder / "generated").glob("*.rst"):
        if page.stem not in public:  # of a name that is gone
            page.unlink()


def setup(app):
    """Register the extension; it writes before Sphinx collects the files to read."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True}
