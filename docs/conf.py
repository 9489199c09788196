"""The site's configuration. `make docs` builds it; `docs/check_site.py` checks what came out."""

import os
import sys
from pathlib import Path

# The pictures of the gallery are the same on every machine, with and without a screen.
import matplotlib

matplotlib.use("agg")
here = Path(__file__).parent
sys.path.insert(0, str(here / "_ext"))

import skactive  # noqa: E402

project = "skactive"
author = "The skactive developers"
copyright = author
version = release = skactive.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",  # loads myst_parser too
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
    "sphinx_copybutton",
    "sphinx_design",
    "api_pages",
    "notebook_pages",
    "mathml",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build", "auto_examples/*.ipynb"]  # the latter are for downloading
templates_path = ["_templates"]
default_role = "py:obj"
suppress_warnings = ["config.cache"]  # the gallery's configuration holds a function

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # _ext/notebook_pages.py has run the notebooks
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc has the types
numpydoc_show_class_members = False  # the template lists them
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "plain"


def _gallery_order(folder):
    from sphinx_gallery.sorting import ExplicitOrder

    first = [
        "plot_two_dimensions.py",
        "plot_measures.py",
        "plot_diversity.py",
        "plot_mask_by_layer.py",
        "plot_fisher_against_entropy.py",
        "plot_predicted_loss.py",
        "plot_learning_curves.py",
        "plot_imbalanced_pool.py",
        "plot_pipeline.py",
        "plot_torchvision.py",
        "*",
    ]
    return ExplicitOrder(first)


sphinx_gallery_conf = {
    "examples_dirs": str(here.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",  # the other scripts take arguments
    "write_computation_times": False,
    "within_subsection_order": _gallery_order(None),
    "doc_module": ("skactive",),
    "backreferences_dir": "api/backreferences",
    "default_thumb_file": str(here / "images" / "learning_curves.png"),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "capture_repr": (),
    "min_reported_time": 0,
    "abort_on_example_error": True,
}
if os.environ.get("SKACTIVE_SMOKE"):
    print("SKACTIVE_SMOKE is set: gallery and notebooks compute less, and prove nothing")

html_theme = "pydata_sphinx_theme"
html_title = "skactive"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skactive"},
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "strategies": [], "comparison": []},
}
html_sidebars = {
    "*": [],  # pages at the top have no others around them
    "notebooks/[0-9]*": [],  # code needs the room
}
