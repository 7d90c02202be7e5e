"""The page: the messages between Python and the page's script, which draws it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import param

FOLDER = Path(__file__).parent
SCRIPTS = ("elements.js", "scatter.js", "naming.js", "details.js", "bars.js", "page.js")
"""Parts of the page's script, joined in this order."""
Listener = Callable[[dict[str, Any]], None]


class Page(pn.custom.JSComponent):
    """Everything on the page but the points, as plain values.

    Attributes:
        scatter: The figure with the points.
        catalogue: Name and size of the catalogue, menus and buttons: what stays.
        legend: Categories by colour.
        mark: Where the marked point is in the scatter, from 0 to 1, and the number of times that it was said.
        choice: How many are shown and selected, the filter, and the tags.
        card: What is known of the candidate under the pointer.
        detail: What is shown next to the scatter.
        status: What was said last and what is under way.
        cover: Help and open question.
    """

    scatter = pn.viewable.Child()
    catalogue = param.Dict(default={})
    legend = param.Dict(default={})
    mark = param.Dict(default={})
    choice = param.Dict(default={})
    card = param.Dict(default={})
    detail = param.Dict(default={})
    status = param.Dict(default={})
    cover = param.Dict(default={})

    _esm = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    _stylesheets = [(FOLDER / "page.css").read_text(encoding="utf-8")]  # noqa: RUF012  # Panel wants a list

    def __init__(self, **values: Any) -> None:
        super().__init__(sizing_mode="stretch_both", margin=0, **values)  # type: ignore[no-untyped-call]
        self._listener: Listener = lambda message: None

    @classmethod
    def _patch_datamodel_ref(cls, props: Any, ref: str) -> None:  # Panel's name for it
        """Say whose the page's values are; Panel's own looks for more in the whole figure, 12 ms at every change."""
        tag = f"__ref:{ref}"
        if tag not in props.tags:
            props.tags.append(tag)

    def listen(self, listener: Listener) -> None:
        """Have the messages of the page's script taken.

        Args:
            listener: Takes each.
        """
        self._listener = listener

    def take(self, data: Any) -> None:
        """Hand a message of the page's script to who listens.

        Args:
            data: What was sent; only a mapping is a message.
        """
        if isinstance(data, dict):
            self._listener(data)

    def _handle_msg(self, data: Any) -> None:  # Panel's name for it
        self.take(data)

    def answer(self, message: dict[str, Any]) -> None:
        """Send something to the page's script.

        Args:
            message: Plain values.
        """
        self._send_msg(message)
