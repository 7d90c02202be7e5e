"""The scatter: every segment a point, drawn by Bokeh as the state has it."""

from collections.abc import Mapping, Sequence

import numpy as np
from bokeh.models import ColumnDataSource
from numpy.typing import ArrayLike, NDArray

from oodretrieval.charts.palette import NEAR, RED
from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.presentation import REACH, Limits
from oodretrieval.explorer.raster import EXACT, inside, layers_of, points_picture
from oodretrieval.explorer.state import State
from oodretrieval.explorer.view_port import ViewPort, nearest_point
from oodretrieval.explorer.web.density_picture import density_picture
from oodretrieval.explorer.web.figure import PICTURE, add_picture, add_points, add_ring, empty_figure

LEGEND_ROOM = 190
"""Kept free for the legend on the left when all points are shown, pixels."""
_QUERY, _NEIGHBOUR, _CHOSEN = RED, NEAR, NEAR
_KINDS = ("faint", "known", "unknown")


class Scatter:
    """Draws the points of a state into a figure of Bokeh's, and knows which of them lies where.

    Args:
        state: What is drawn.

    Attributes:
        figure: Of Bokeh.
        shown: The part of the plane that it was last made to show here, not in the browser.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._size = (800.0, 600.0)
        self.shown: Limits | None = None
        self._fitted: NDArray[np.floating] | None = None
        self.figure = empty_figure()
        self._categories: Sequence[Category] = ()
        self._chosen: NDArray[np.intp] = np.empty(0, np.intp)
        self._pictures = {kind: add_picture(self.figure) for kind in ("density", "points")}
        self._points = {kind: add_points(self.figure, kind == "unknown") for kind in _KINDS}
        self._rings = {
            "chosen": add_ring(self.figure, self._point_size("known") + 3, _CHOSEN, 2.0),
            "neighbours": add_ring(self.figure, 14, _NEIGHBOUR, 1.4),
            "query": add_ring(self.figure, 19, _QUERY, 2.4),
        }

    @property
    def sources(self) -> Mapping[str, ColumnDataSource]:
        """What the browser is sent of the points, by its kind: drawn one by one, ringed, and as pictures."""
        points = {kind: source for kind, (source, _, _) in self._points.items()}
        pictures = {f"picture of {kind}": source for kind, source in self._pictures.items()}
        return points | self._rings | pictures

    # -- what is drawn ---------------------------------------------------------------------------------------

    def draw(self, categories: Sequence[Category]) -> None:
        """Draw the points as the state has them; replaces what was there, and leaves the view as it is.

        Args:
            categories: Points by colour.
        """
        points = self._state.points
        if points is None:
            return
        fresh = self._fitted is not points
        self._categories = categories
        if fresh:
            self.fit()
        if self.is_crowded:
            self.draw_view()
        else:
            self._draw_exactly(points, None)

    @property
    def is_crowded(self) -> bool:
        """Whether there are too many points to draw more than the view shows."""
        return len(self._state) > EXACT

    def draw_view(self) -> None:
        """Draw what the view shows: as points where these are few, else as a picture."""
        points = self._state.points
        if points is None or not self.is_crowded:
            return
        view = self.view
        shown = inside(points, view)
        if int(shown.sum()) <= EXACT:
            self._show_picture("points", None)
            self._draw_exactly(points, shown)
        else:
            self._show_picture("points", (points_picture(points, layers_of(self._categories), view), view))
            self._draw_exactly(points, np.zeros(len(points), np.bool_))
        if len(self._chosen) > EXACT:
            self.ring("chosen", self._chosen)

    def draw_density(self, wanted: bool) -> None:
        """Shade where points are dense, or no longer.

        Args:
            wanted: Whether to.
        """
        points = self._state.points
        self._show_picture("density", density_picture(points) if wanted and points is not None else None)

    def _show_picture(self, kind: str, shown: tuple[NDArray[np.uint8], ViewPort] | None) -> None:
        source = self._pictures[kind]
        if shown is None:
            if len(source.data["image"]):
                source.data = {name: [] for name in PICTURE}
            return
        picture, view = shown
        colours = np.ascontiguousarray(picture).view(np.uint32).reshape(picture.shape[:2])
        source.data = {
            "image": [colours],
            "x": [view.left],
            "y": [view.bottom],
            "dw": [view.right - view.left],
            "dh": [view.top - view.bottom],
        }

    def _draw_exactly(self, points: NDArray[np.floating], which: NDArray[np.bool_] | None) -> None:
        for kind in _KINDS:
            self._draw_kind(kind, points, which)

    def _draw_kind(self, kind: str, points: NDArray[np.floating], which: NDArray[np.bool_] | None) -> None:
        source, mapper, glyph = self._points[kind]
        # the most frequent first, so that rare ones lie above them
        ordered = sorted(
            (category for category in self._categories if _kind(category) == kind),
            key=lambda category: -len(category.rows),
        )
        parts = [c.rows if which is None else c.rows[which[c.rows]] for c in ordered]
        rows = np.concatenate(parts) if parts else np.empty(0, np.intp)
        colours = np.repeat(np.arange(len(ordered), dtype=np.float32), [len(part) for part in parts])
        mapper.update(
            palette=[category.colour for category in ordered] or ["#000000"],
            low=-0.5,
            high=max(len(ordered), 1) - 0.5,
        )
        glyph.update(size=self._point_size(kind), fill_alpha=self._alpha(kind), line_alpha=self._rim(kind))
        source.data = {
            "x": np.ascontiguousarray(points[rows, 0], np.float32),
            "y": np.ascontiguousarray(points[rows, 1], np.float32),
            "colour": colours,
        }

    def _point_size(self, kind: str) -> float:
        size = float(np.clip(11 - 1.9 * np.log10(max(len(self._state), 10) / 100), 3.0, 11.0))
        return size * {"faint": 0.55, "known": 1.0, "unknown": 1.15}[kind]

    def _alpha(self, kind: str) -> float:
        """Where points are many, what lies below others shows through; rare unknown ones stay plain."""
        dense = float(np.clip(0.92 - 0.18 * np.log10(max(len(self._state), 10) / 1000), 0.35, 0.92))
        return {"faint": 0.6, "known": dense, "unknown": max(dense, 0.7)}[kind]

    def _rim(self, kind: str) -> float:
        return 0.0 if kind == "faint" or len(self._state) > 3000 else 0.75

    def ring(self, kind: str, rows: ArrayLike) -> None:
        """Ring points; rings of the kind that were there go.

        Args:
            kind: ``"query"``, ``"neighbours"`` or ``"chosen"``.
            rows: Which points; of more than :data:`EXACT`, those that the view shows, and at most that many.
        """
        points = self._state.points
        if kind == "chosen":
            self._chosen = np.asarray(rows, np.intp)
        at: NDArray[np.floating] = np.empty((0, 2), np.float32)
        if points is not None:
            at = points[np.asarray(rows, np.intp)]
            at = at[inside(at, self.view)] if len(at) > EXACT else at
        at = np.asarray(at[:EXACT], np.float32)
        there = self._rings[kind].data
        if not np.array_equal(
            np.stack([there["x"], there["y"]], axis=1), at
        ):  # else all would be drawn again
            self._rings[kind].data = {name: np.ascontiguousarray(at[:, i]) for i, name in enumerate("xy")}

    def across(self, row: int) -> tuple[float, float] | None:
        """Where a point is in the figure.

        Args:
            row: Of the segment.

        Returns:
            From 0 left to 1 right, and from 0 at the top to 1 at the bottom; None if the figure does not show it.
        """
        points, view = self._state.points, self.view
        if points is None or not bool(inside(points[[row]], view)[0]):
            return None
        x, y = points[row].tolist()
        return (x - view.left) / (view.right - view.left), (view.top - y) / (view.top - view.bottom)

    # -- the part of the plane that is shown -----------------------------------------------------------------

    @property
    def view(self) -> ViewPort:
        """What the figure shows at the moment; wheel and drag change it in the browser."""
        x, y = self.figure.x_range, self.figure.y_range
        width, height = self._size
        return ViewPort(float(x.start), float(y.start), float(x.end - x.start) / width, width, height)

    @property
    def limits(self) -> Limits:
        """Left, bottom, right and top of what the figure shows."""
        view = self.view
        return view.left, view.bottom, view.right, view.top

    def fit(self) -> None:
        """Show all points."""
        points = self._state.points
        if points is not None:
            self._fitted = points
            room = min(LEGEND_ROOM, 0.3 * self._size[0]) if self._state.settings.mainplot.legend else 0.0
            self._show(ViewPort.around(points, *self._size, room))

    def show(self, limits: Limits) -> None:
        """Show a part of the plane, and what more of it the figure has room for.

        Args:
            limits: Left, bottom, right, top.
        """
        self._show(ViewPort.showing(limits, *self._size))

    def resize(self, width: float, height: float) -> None:
        """Take the size that the figure has on screen; what lies in its middle stays there.

        Args:
            width: Pixels.
            height: Pixels.
        """
        if not (width >= 10 and height >= 10) or (width, height) == self._size:
            return
        before, first = self.view, self._size == (800.0, 600.0)
        self._size = (width, height)
        if first:
            self.fit()
        else:
            self._show(before.resized(width, height))

    def _show(self, view: ViewPort) -> None:
        self.figure.x_range.update(start=view.left, end=view.right)
        self.figure.y_range.update(start=view.bottom, end=view.top)
        self.shown = self.limits

    def row_at(self, x: float, y: float) -> int | None:
        """The segment under the pointer.

        Args:
            x: From 0 left to 1 right.
            y: From 0 at the top to 1 at the bottom.

        Returns:
            Row of the nearest point that is shown; None if none is near.
        """
        if self._state.points is None:
            return None
        place = self.view.place(np.array([[x, y]]))[0]
        return nearest_point(
            self._state.points,
            (float(place[0]), float(place[1])),
            REACH * self.view.unit,
            self._state.selection.visible,
        )


def _kind(category: Category) -> str:
    return "faint" if category.faint else "unknown" if category.unknown else "known"
