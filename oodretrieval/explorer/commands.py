"""What the actions do: they change the state, let things be drawn, and have long work done elsewhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.clustering import ClusterCommands
from oodretrieval.explorer.figure import METHOD_NAMES
from oodretrieval.explorer.inspecting import InspectionCommands
from oodretrieval.explorer.saving import SaveCommands
from oodretrieval.explorer.work import Job
from oodretrieval.search import project

_QUICK = 20_000_000
"""Values of an embedding whose PCA is done at once."""


class Commands(ClusterCommands, InspectionCommands, SaveCommands):
    """One method for each command of the table."""

    _awaited = False

    # -- projections ---------------------------------------------------------------------------------------

    def project(self) -> None:
        """Get the points to draw and the space to search in, from what is kept or computed."""
        state, size = self.state, self.state.settings.embedding_size
        quick = state.vectors.size <= _QUICK and not self.work.immediate
        if quick and state.settings.method != "pca" and self.projections.kept(2) is None:
            state.points, state.preliminary = project(state.vectors, "pca"), True
        self.board.draw_scatter()
        name = METHOD_NAMES[state.settings.method]
        self.work.start("points", f"{name} of {len(state)} segments", self._projection(2), self._take_points)
        if size not in (0, 2):
            title = f"{name} to {size} dimensions"
            self.work.start("space", title, self._projection(size), self._take_space)

    def _projection(self, dimensions: int) -> Callable[[Job], NDArray[np.float32]]:
        return lambda job: self.projections.compute(dimensions, self._call(job), self.state.vectors)

    def _take_points(self, points: NDArray[np.float32]) -> None:
        self.state.points, self.state.preliminary = points, False
        if self.state.settings.embedding_size == 2:
            self._take_space(points)
        self.hover(None)
        self.board.draw_scatter()
        self.refresh_neighbours()

    def _take_space(self, space: NDArray[np.float32]) -> None:
        self.state.space = space
        self.refresh_neighbours(asked=self._awaited)
        self._awaited = False

    # -- pointer -------------------------------------------------------------------------------------------

    def hover(self, row: int | None, pixel: tuple[float, float] = (0, 0)) -> None:
        """Show the thumbnail of a segment beside a pixel; None takes it away."""
        before, self.state.hovered = self.state.hovered, row
        if row is None and before is None:
            return
        if row is None:
            self.overlay.hide_thumbnail()
        else:
            self.overlay.ring_hovered(None if self.state.points is None else self.state.points[row])
            if row != before:
                self.overlay.status = self.state.place(row)
            picture = self.crops.ready(row)
            self.overlay.show_thumbnail(pixel, picture, self.state.caption(row))
            if picture is None:
                self._fetch(row, pixel)
        self.overlay.refresh()

    def _fetch(self, row: int, pixel: tuple[float, float]) -> None:
        def show(picture: NDArray[np.uint8]) -> None:
            if self.state.hovered == row:
                self.overlay.show_thumbnail(pixel, picture, self.state.caption(row))
                self.overlay.refresh()

        self.work.start("thumbnail", "", lambda job: self.crops.thumbnail_or_gone(row), show)

    def show_image(self, row: int) -> None:
        """Show the full image with the segment in a red box."""
        self._show(
            "reading the image", partial(self.crops.outlined, row), partial(self.board.show_image, row)
        )

    def show_panels(self, row: int) -> None:
        """Show the four panels."""
        self._show("four panels", partial(self._view, row), partial(self.board.show_panels, row))

    def show_neighbours(self, row: int) -> None:
        """Show the nearest neighbours."""
        self.state.query = row
        if self.state.space is None:
            self._awaited = True
            self.board.draw_rings()
            self.say("neighbours are searched in a projection that is still being computed; they will come")
        self.refresh_neighbours(asked=True)

    def refresh_neighbours(self, asked: bool = False) -> None:
        """Search the query's neighbours again; shows them if they are shown or asked for."""
        query = self.state.query
        if query is None or self.state.space is None:
            return
        found = self.state.nearest(query)
        rows = [query, *(row for row, _ in found)]

        def read(job: Job) -> dict[int, NDArray[np.uint8]]:
            return {row: self.crops.thumbnail_or_gone(row) for row in rows}

        if asked or self.board.detail == "neighbours":
            self._leave_elbow()
            self.work.start(
                "detail", "neighbours", read, lambda read: self.board.show_neighbours(query, found, read)
            )
        else:
            self.board.draw_rings(rows[1:])
            self.overlay.refresh()

    def more_neighbours(self, row: int | None = None) -> None:
        """One neighbour more."""
        self._want(self.state.neighbours + 1)

    def fewer_neighbours(self, row: int | None = None) -> None:
        """One neighbour less."""
        self._want(self.state.neighbours - 1)

    def _want(self, count: int) -> None:
        before = self.state.neighbours
        now = self.state.want_neighbours(count)
        limit = "" if now != before else ", no more" if count > before else ", no less"
        self.say(f"{now} neighbours{limit}")
        if now != before:
            self.refresh_neighbours()

    def _show(self, title: str, get: Callable[[], Any], draw: Callable[[Any], None]) -> None:
        self._leave_elbow()
        self.work.start("detail", title, lambda job: get(), draw)

    # -- keys ----------------------------------------------------------------------------------------------

    def cycle_metric(self) -> None:
        """Take the next distance metric."""
        self.say(f"distance: {self.state.cycle_metric()}")
        self.refresh_neighbours()
        self.board.draw_scatter()

    def colour_by_truth(self) -> None:
        """Colour by truth, where there is any."""
        if not self.state.has_truth:
            self.say("no truth in this catalogue; h colours by predicted class")
            return
        self._colour("truth")

    def colour_by_prediction(self) -> None:
        """Colour by predicted class."""
        self._colour("prediction")

    def colour_by_score(self) -> None:
        """Colour by the score that the segments were selected by, where the catalogue has it."""
        if not self.state.select_by:
            self.say("no score in this catalogue; compute_embeddings writes it")
            return
        self._colour("score")

    def colour_uniformly(self) -> None:
        """One colour for all."""
        self._colour("uniform")

    def toggle_density(self) -> None:
        """Density on or off."""
        self.state.density = not self.state.density
        self.board.draw_scatter()

    def toggle_help(self) -> None:
        """Help on or off."""
        self.overlay.help = not self.overlay.help
        self.overlay.refresh()

    def leave(self) -> None:
        """Close the help or the elbow; else the window."""
        if self.overlay.help:
            self.toggle_help()
        elif self.board.detail == "elbow":
            self._leave_elbow()
        else:
            self.close()
