"""From presses, movements and releases of the left button in the scatter to clicks, a moved view, a lasso."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from matplotlib.backend_bases import LocationEvent, MouseEvent

from oodretrieval.explorer.commands.selecting import select_polygon
from oodretrieval.explorer.desktop.figure_view import FigureView
from oodretrieval.explorer.selection import How
from oodretrieval.explorer.session import Session

_STILL = 4
"""Pixels that a click may move."""


@dataclass
class _Drag:
    """A button that is held: what it draws, where it was, and where the view was then."""

    tool: str
    how: How
    path: list[tuple[float, float]] = field(default_factory=list)
    moved: bool = False


class Dragging:
    """Follows the left button while it is held in the scatter.

    Args:
        view: Where it is held.
        session: Whose view.
        click: Takes the release of a button that was not moved.
    """

    def __init__(self, view: FigureView, session: Session, click: Callable[[MouseEvent], None]) -> None:
        self._view, self._session, self._click = view, session, click
        self._drag: _Drag | None = None

    def press(self, event: MouseEvent, held: str, shift: bool) -> None:
        """Take a press.

        Args:
            event: Of the canvas, in the scatter.
            held: What is held, as the table of commands spells it.
            shift: Whether shift is held.
        """
        how: How = "add" if shift else "remove" if held == "ctrl+" else "replace"
        self._drag = _Drag(self._session.presentation.tool, how, [(event.x, event.y)])

    def move(self, event: LocationEvent) -> bool:
        """Take a movement.

        Args:
            event: Of the canvas.

        Returns:
            Whether a button is held and has moved: then nothing is under the pointer.
        """
        drag = self._drag
        if drag is None:
            return False
        away = np.hypot(event.x - drag.path[0][0], event.y - drag.path[0][1])
        if not drag.moved and away <= _STILL:
            return False
        drag.moved = True
        if drag.tool:
            drag.path.append((event.x, event.y))
            self._view.overlay.trace(_outline(drag))
        else:
            (x0, y0), (x1, y1) = self._view.scatter.in_plane(*drag.path[-1]), self._place(event)
            drag.path = [drag.path[0], (event.x, event.y)]
            self._session.presentation.pan(x0 - x1, y0 - y1)
        return True

    def release(self, event: MouseEvent) -> None:
        """Take a release.

        Args:
            event: Of the canvas, wherever it is.
        """
        drag, self._drag = self._drag, None
        if drag is None:
            return
        if not drag.moved:
            self._click(event)
        elif drag.tool:
            corners = [self._view.scatter.in_plane(*pixel) for pixel in _outline(drag)]
            self._view.overlay.trace([])
            select_polygon(self._session, corners, drag.how)

    def _place(self, event: LocationEvent) -> tuple[float, float]:
        return self._view.scatter.in_plane(event.x, event.y)


def _outline(drag: _Drag) -> list[tuple[float, float]]:
    if drag.tool == "lasso":
        return drag.path
    (x0, y0), (x1, y1) = drag.path[0], drag.path[-1]
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
