"""Sphinx's configuration: ``make docs`` builds the site into ``docs/_build/html``."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from oodretrieval import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "OODRetrieval"
author = "The OODRetrieval developers"
copyright = author
release = version = __version__

extensions = [
    "api_pages",
    "docstring_names",
    "myst_parser",
    "script_settings",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "_extensions"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = f"OODRetrieval {release}"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source"]
default_role = "literal"

autodoc_preserve_defaults = True

nitpicky = True  # a role that names nothing is an error; what other packages document is not looked up
nitpick_ignore_regex = [(r"py:.*", r"(?!oodretrieval\.)\w+[.\[].*|NDArray|ArrayLike")]


def setup(app: Sphinx) -> None:
    """Leave out what matplotlib adds to classes that derive from its own, in docstrings with its own roles."""
    app.connect("autodoc-skip-member", of_matplotlib)


def of_matplotlib(*event: Any) -> bool | None:
    """Whether a member comes from matplotlib; None where that is left to Sphinx."""
    member = event[3]
    return True if str(getattr(member, "__module__", "")).startswith("matplotlib.") else None
