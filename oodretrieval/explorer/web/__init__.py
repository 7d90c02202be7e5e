"""The explorer as a page for browser and notebook; only this part of it knows Panel, Bokeh and Tornado."""

from importlib.util import find_spec

from oodretrieval.errors import DisplayError

NEEDED = ("panel", "bokeh", "tornado")
INSTALL = "in the checkout run `pip install -c constraints.txt -e '.[web]'`"


def require_page() -> None:
    """Make sure that the page's packages are there.

    Raises:
        DisplayError: If one is missing; names the command that installs them.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise DisplayError(f"the explorer's page needs {', '.join(missing)}; {INSTALL}")
