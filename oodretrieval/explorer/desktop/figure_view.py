"""A figure that shows a session: it follows the changes of the state and of what is presented."""

from typing import Any

from matplotlib.backend_bases import LocationEvent
from matplotlib.figure import Figure

from oodretrieval.explorer.desktop.detail_view import DetailView
from oodretrieval.explorer.desktop.overlay import Overlay
from oodretrieval.explorer.desktop.scatter_view import ScatterView
from oodretrieval.explorer.details import rows_to_choose
from oodretrieval.explorer.presentation import RINGS_FOLLOW, Presentation
from oodretrieval.explorer.state import State

_SCATTER = {
    *("points", "preliminary", "colouring", "clusters", "metric", "step"),
    *("selected", "filter", "hidden"),
}
"""Of the state: what the scatter and its title show."""


class FigureView:
    """The scatter on the left, a detail on the right, the overlay above both.

    Args:
        figure: An empty figure.
        state: What is known.
        presentation: What else is shown.

    Attributes:
        scatter: On the left.
        detail: On the right.
        overlay: Above both.
    """

    def __init__(self, figure: Figure, state: State, presentation: Presentation) -> None:
        self._figure, self._state, self._presentation = figure, state, presentation
        halves: Any = figure.subfigures(1, 2, wspace=0)
        for half in halves:
            half.set_facecolor(figure.get_facecolor())  # it covers what was drawn before
        self._left = halves[0]
        axes = halves[0].add_axes((0.015, 0.06, 0.97, 0.875))
        self.scatter, self.detail = ScatterView(axes, state, presentation), DetailView(halves[1])
        self.overlay = Overlay(figure, axes, presentation)
        self.scatter.draw()
        self.detail.draw(presentation.detail)
        self._ends = [
            state.subscribe(self._follow_state),
            presentation.subscribe(self._follow_presentation),
        ]

    def stop(self) -> None:
        """No longer follow state and presentation."""
        for end in self._ends:
            end()

    def _follow_state(self, changed: frozenset[str]) -> None:
        if "found" in changed or changed & RINGS_FOLLOW:
            self.ring()
        if changed & _SCATTER or ("tags" in changed and self._state.depends_on_tags):
            self.scatter.draw()
            ticked = self._tick()
            self.overlay.redraw(self._left, *([self.detail.figure] if ticked else []))
        elif "found" in changed or changed & RINGS_FOLLOW:
            self.overlay.refresh()

    def _follow_presentation(self, changed: frozenset[str]) -> None:
        if "thumbnail" in changed:
            self.overlay.place_thumbnail()
        if "marked" in changed:
            self.overlay.rings.mark(self._state.points, self._presentation.marked)
        if "density" in changed:
            self.scatter.draw()
        if "limits" in changed:
            self.scatter.move()
        if "detail" in changed:
            self.detail.draw(self._presentation.detail)
            self._tick()
        halves = [self.detail.figure] if "detail" in changed else []
        halves += [self._left] if changed & {"density", "limits"} else []
        self.overlay.redraw(*halves)

    def _tick(self) -> bool:
        """Mark what is selected among the candidates next to the scatter; returns whether that changed anything."""
        chosen, shown = self._state.selection.selected_shown, rows_to_choose(self._presentation.detail)
        return self.detail.mark([row for row in shown if chosen is not None and chosen[row]])

    def ring(self) -> None:
        """Put rings around the marked point, the query and its neighbours."""
        state = self._state
        found = state.found or []
        self.overlay.rings.mark(state.points, self._presentation.marked)
        self.overlay.rings.ring_neighbours(state.points, state.query, [row for row, _ in found])

    # -- what lies where -----------------------------------------------------------------------------------

    def row_at(self, event: LocationEvent) -> int | None:
        """The segment under the pointer, in the scatter or among candidates and neighbours.

        Args:
            event: Of the figure's canvas.

        Returns:
            Its row; None if there is none.
        """
        if event.inaxes is self.scatter.axes:
            return self.scatter.row_at(event.x, event.y)
        return None if event.inaxes is None else self.detail.rows.get(event.inaxes)

    def is_pointed_at(self, event: LocationEvent) -> bool:
        """Whether the pointer is where segments are: in the scatter or among candidates and neighbours.

        Args:
            event: Of the figure's canvas.

        Returns:
            Whether it is.
        """
        return event.inaxes is self.scatter.axes or event.inaxes in self.detail.rows

    def clusters_at(self, event: LocationEvent) -> int | None:
        """The number of clusters under the pointer in the elbow curve.

        Args:
            event: Of the figure's canvas.

        Returns:
            The number; None elsewhere.
        """
        return self.detail.clusters_at(event.inaxes, event.xdata)

    def fit(self) -> None:
        """Make scatter and headings fit a window of another size."""
        self.scatter.move()
        self.detail.draw(self._presentation.detail)
        self._tick()
