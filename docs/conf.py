"""Configuration of the documentation site: `python -m sphinx -W -n --keep-going docs build/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_extensions")]

import vec_envs  # noqa: E402  after the path is set

project = "VEC-Envs"
author = "The VEC-Envs developers"
project_copyright = author
release = version = vec_envs.__version__
language = "en"
smartquotes = False

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "myst_nb",
    "markdown_docstrings",
    "mathml",
    "repository_links",
]
exclude_patterns = ["_extensions", "results/*.svg"]
nitpick_ignore_regex = [(r"py:.*", r".*")]

html_math_renderer = "mathml"  # needs no script from the network
html_theme = "furo"
html_title = "VEC-Envs"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
myst_fence_as_directive = ["math"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"

nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # progress bars
suppress_warnings = ["myst.header"]  # measured pages skip a level
