"""What one view of the state shows at the moment. Knows no toolkit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.details import Detail, KeysHelp
from oodretrieval.explorer.observable import Observable, Observed
from oodretrieval.explorer.prompt import Prompt

Limits = tuple[float, float, float, float]
"""Left, bottom, right, top."""
REACH = 14
"""How near the pointer must come to a point, pixels at 100 dpi."""
WATCHING = 2000
"""How often tags of other views are looked for, milliseconds."""
RINGS_FOLLOW = {"points", "query", "space", "metric", "neighbours", "once", "filter", "hidden", "step"}
"""Of the state: what the rings in the scatter depend on."""


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """The small picture of the segment under the pointer.

    Attributes:
        row: Of the segment.
        pointer: Where the pointer is, in the view's own units.
        picture: Crop ``(h, w, 3)``; None while it is being read.
        caption: What is known of the segment, and where it comes from.
        meanings: What its numbers mean, line by line.
    """

    row: int
    pointer: tuple[float, float]
    picture: NDArray[np.uint8] | None
    caption: str
    meanings: str = ""


class Presentation(Observable):
    """What a view shows, apart from the state: the view draws it and follows its changes.

    Attributes:
        detail: What is shown next to the scatter. Observed.
        thumbnail: Of the segment under the pointer, or None. Observed.
        marked: Row whose point is ringed, as the one under the pointer or as the one inspected; or None. Observed.
        density: Whether the density of the points is shaded. Observed.
        help: Whether the help lies over everything. Observed.
        prompt: Open question, or None. Observed.
        status: What the last command said; a movement of the pointer says nothing. Observed.
        progress: What is under way, in one line; empty for nothing. Observed.
        tool: What a drag of the pointer does: ``lasso``, ``rectangle``, or empty for moving the view. Observed.
        limits: What the scatter shows: left, bottom, right, top in the coordinates of the projection; None for all
            points. Observed.
        turns: Grows while something is under way: the sign of work turns by it. Observed.
        pointer: Where the pointer was last, in the view's own units.
        focus: Where it was in the coordinates of the projection; None outside the scatter.
        window: What the scatter shows now, as the view has it, which keeps ``limits`` in its own proportions.
        key: The key that was pressed last, as the table of commands spells it.
        awaits_neighbours: Whether neighbours were asked for before the space to search in was there.
    """

    detail = Observed[Detail]()
    thumbnail = Observed[Thumbnail | None]()
    marked = Observed[int | None]()
    density = Observed[bool]()
    help = Observed[bool]()
    prompt = Observed[Prompt | None]()
    status = Observed[str]()
    progress = Observed[str]()
    tool = Observed[str]()
    limits = Observed[Limits | None]()
    turns = Observed[int]()

    def __init__(self) -> None:
        super().__init__()
        self.detail, self.thumbnail, self.marked = KeysHelp(), None, None
        self.density, self.help, self.prompt = False, False, None
        self.status, self.progress, self.turns = "? shows what mouse and keys do", "", 0
        self.tool, self.limits, self.key = "", None, ""
        self.focus: tuple[float, float] | None = None
        self.window: Limits | None = None
        self.pointer: tuple[float, float] = (0.0, 0.0)
        self.awaits_neighbours = False

    @property
    def hovered(self) -> int | None:
        """Row of the segment under the pointer, or None."""
        return None if self.thumbnail is None else self.thumbnail.row

    @property
    def is_covered(self) -> bool:
        """Whether an open question or the help has mouse and keys to itself."""
        return self.prompt is not None or self.help

    def zoom(self, factor: float) -> None:
        """Show more or less of the scatter; what is under the pointer stays there.

        Args:
            factor: Of the sides of what is shown; below 1 brings it nearer.
        """
        if self.window is None:
            return
        left, bottom, right, top = self.window
        x, y = self.focus or ((left + right) / 2, (bottom + top) / 2)
        self.limits = (
            x + (left - x) * factor,
            y + (bottom - y) * factor,
            x + (right - x) * factor,
            y + (top - y) * factor,
        )

    def pan(self, x: float, y: float) -> None:
        """Move what the scatter shows.

        Args:
            x: By how much to the right, in the coordinates of the projection.
            y: By how much upwards.
        """
        if self.window is not None:
            left, bottom, right, top = self.window
            self.limits = left + x, bottom + y, right + x, top + y
