"""The scatter: every segment a point, drawn as the state has it."""

from matplotlib.axes import Axes

from oodretrieval.explorer.desktop.scatter import (
    draw_categories,
    draw_density,
    fit_limits,
    legend_name_at,
    legend_room,
    show_limits,
)
from oodretrieval.explorer.presentation import REACH, Presentation
from oodretrieval.explorer.raster import EXACT
from oodretrieval.explorer.state import State
from oodretrieval.explorer.view_port import ViewPort, nearest_point
from oodretrieval.explorer.wording import colouring_words, metric_words, points_words

_LETTER = 0.55
"""Width of a letter in its height."""


class ScatterView:
    """Draws the points of the state, and knows which of them lies under a pixel.

    Args:
        axes: Where.
        state: What is drawn.
        presentation: What part of the plane is shown, and whether density is shaded.

    Attributes:
        axes: As given.
    """

    def __init__(self, axes: Axes, state: State, presentation: Presentation) -> None:
        self.axes, self._state, self._presentation = axes, state, presentation
        self._legend = state.settings.mainplot.legend
        classes = state.segments.classes
        self._room = legend_room((*classes.truths.names, *classes.predictions.names), len(state))

    def draw(self) -> None:
        """Draw the points as the state has them; replaces what was there, and keeps the part of the plane."""
        points, chosen = self._state.points, self._state.selection
        if points is None:
            self.axes.set_axis_off()
        else:
            self.axes.set_axis_on()
            self.fit()
            draw_categories(
                self.axes,
                points,
                self._state.categories(),
                self._legend,
                chosen.selected_shown,
                self._state.grouping.scale,
                self._view if self._is_crowded else None,
            )
            if self._presentation.density and chosen.visible.any():
                draw_density(self.axes, points[chosen.visible])
        self._write_title()

    def _write_title(self) -> None:
        """Say what is shown, in letters that fit the width."""
        title = self._title()
        inches = self.axes.bbox.width / self.axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it is in one
        self.axes.set_title(title, fontsize=min(10.5, 72 * inches / (_LETTER * len(title))), loc="left")

    @property
    def _is_crowded(self) -> bool:
        """Whether there are too many points to draw more than the axes show."""
        return len(self._state) > EXACT

    @property
    def _view(self) -> ViewPort:
        (left, right), (bottom, _) = self.axes.get_xlim(), self.axes.get_ylim()
        width, height = (max(float(side), 1.0) for side in self.axes.bbox.size)
        return ViewPort(left, bottom, (right - left) / width, width, height)

    def move(self) -> None:
        """Show the part of the plane that is presented, whose points are drawn again where they are very many."""
        if self._is_crowded:
            self.draw()
        else:
            self.fit()
            self._write_title()

    def fit(self) -> None:
        """Show the part of the plane that is presented, in a window of any size; all points where none is."""
        limits, points = self._presentation.limits, self._state.points
        if points is None:
            return
        if limits is None:
            fit_limits(self.axes, points, self._room if self._legend else 0.0)
        else:
            show_limits(self.axes, limits)
        (left, right), (bottom, top) = self.axes.get_xlim(), self.axes.get_ylim()
        self._presentation.window = left, bottom, right, top

    def legend_at(self, x: float, y: float) -> str | None:
        """The colour whose entry in the legend lies under a pixel.

        Args:
            x: Pixels of the canvas, from the left.
            y: From the bottom.

        Returns:
            Its name; None elsewhere.
        """
        if self._state.points is None or not self._legend:
            return None
        return legend_name_at(self.axes, self._state.categories(), x, y)

    def in_plane(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel lies in the coordinates of the projection.

        Args:
            x: Pixels of the canvas, from the left.
            y: From the bottom.

        Returns:
            Both coordinates.
        """
        across, up = self.axes.transData.inverted().transform((x, y))
        return float(across), float(up)

    def row_at(self, x: float, y: float) -> int | None:
        """The segment under a pixel.

        Args:
            x: Pixels of the canvas, from the left.
            y: From the bottom.

        Returns:
            Row of the nearest point that is shown; None if none is near.
        """
        state = self._state
        if state.points is None:
            return None
        dpi = self.axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it is in a figure
        reach = REACH * dpi / 100 * self._view.unit
        return nearest_point(state.points, self.in_plane(x, y), reach, state.selection.visible)

    def _title(self) -> str:
        state = self._state
        shown = int(state.selection.visible.sum())
        number = f"{len(state)}" if shown == len(state) else f"{shown} of {len(state)}"
        return " · ".join(
            [
                f"{state.catalogue.name}: {number} candidates",
                points_words(state),
                colouring_words(state),
                f"{metric_words(state.metric)} distance",
            ]
        )
