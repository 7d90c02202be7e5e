"""The page inside a notebook: the same page from the same kind of server, in a frame."""

from html import escape
from typing import Any

from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.server import WebExplorer, invitation
from oodretrieval.stores import Workspace

HEIGHT = 760
"""Of the frame, pixels."""


class NotebookPage:
    """Serves a state to the frame that a notebook shows for it.

    The kernel serves it, so that the page waits while a cell runs. A notebook on another machine needs the page's port
    forwarded, too; the line below the frame does that.

    Args:
        state: What is explored.
        workspace: Where the predictions lie.

    Attributes:
        explorer: What is served; close it, or end the kernel, to serve no more.
    """

    def __init__(self, state: State, workspace: Workspace) -> None:
        self.explorer = WebExplorer(state, workspace)

    @property
    def address(self) -> str:
        """Of the page, for a browser's own tab."""
        return self.explorer.address

    def close(self) -> None:
        """Serve no more."""
        self.explorer.close()

    def _repr_html_(self) -> str:
        address = escape(self.address, quote=True)
        _, forward, _ = invitation(self.address, self.explorer.port)
        return (
            f'<iframe src="{address}" width="100%" height="{HEIGHT}" style="border: 1px solid #d9dee5"></iframe>'
            f'<div><a href="{address}" target="_blank">in a tab of its own</a> · {escape(forward)}</div>'
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}
