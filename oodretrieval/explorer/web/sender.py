"""When the document of a page is changed, and that what belongs together is sent together."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import panel as pn


class Sender:
    """Does what changes a page where its document may be changed; the browser is sent what follows in one message.

    Args:
        document: Of the page; None where it is not served.
    """

    def __init__(self, document: Any) -> None:
        self._document = document
        self._afterwards: deque[Callable[[], None]] | None = None

    def later(self, function: Callable[[], None]) -> None:
        """Do something as soon as the page's document may be changed.

        Args:
            function: Does it; at once where there is no document that others could be changing.
        """
        if self._document is None or self._document.session_context is None:
            function()
        elif self._afterwards is not None:
            self._afterwards.append(function)
        else:
            self._document.add_next_tick_callback(partial(self._together, function))

    def respond(self, function: Callable[[], None]) -> None:
        """Do what the page's script asks for, at once where the page has been loaded.

        Args:
            function: Does it.
        """
        if self._document is not None and self._document is pn.state.curdoc and pn.state.loaded:
            self._together(function)
        else:  # Panel delivers what comes meanwhile without the lock that changing the figure takes
            self.later(function)

    def _together(self, function: Callable[[], None]) -> None:
        """Do something and all that follows from it; the browser is sent it in one message, and draws it once."""
        with pn.io.unlocked():
            left = self._afterwards = deque([function])
            try:
                while left:
                    left.popleft()()
            finally:
                self._afterwards = None
                for undone in left:  # what one raises does not keep the others from being done
                    self.later(undone)
