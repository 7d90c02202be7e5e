"""What the actions do: they change the state, let things be drawn, and have long work done elsewhere."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer import apart
from oodretrieval.explorer.crops import Crops
from oodretrieval.explorer.figure import METHOD_NAMES, Board
from oodretrieval.explorer.panels import ImageView
from oodretrieval.explorer.pictures import save_panels, save_picture
from oodretrieval.explorer.projections import Projections
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.state import Colouring, State
from oodretrieval.explorer.views import image_view
from oodretrieval.explorer.work import Job, Work
from oodretrieval.search import project
from oodretrieval.stores import Workspace, read_prediction

CLUSTERING_NAMES = {
    "kmeans": "k-means",
    "spectral": "spectral clustering",
    "agglomerative": "agglomerative (Ward)",
}
_QUICK = 20_000_000
"""Values of an embedding whose PCA is done at once."""


class Commands:
    """One method for each command of the table.

    Args:
        state: What is known.
        board: What is drawn.
        work: Where long work is done.
        workspace: Where predictions lie.
        close: Closes the window.
    """

    def __init__(
        self, state: State, board: Board, work: Work, workspace: Workspace, close: Callable[[], None]
    ) -> None:
        self.state, self.board, self.work, self.workspace, self.close = state, board, work, workspace, close
        self.overlay = board.overlay
        self.crops = Crops(state)
        self.projections = Projections(state.catalogue, state.embedding, state.settings)
        self.folder = Path(state.settings.save_dir or state.catalogue.path / "pictures")
        self._groups = 0
        self._awaited = False

    def say(self, text: str) -> None:
        """Say something in the status line."""
        self.overlay.status = text
        self.overlay.refresh()

    def _call(self, job: Job) -> Callable[..., NDArray[Any]]:
        if self.work.immediate:
            return apart.call

        def report(stage: str) -> None:
            job.stage = stage

        return partial(apart.call_apart, job.cancelled, report)

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
        self._show("reading the image", partial(self.crops.image, row), partial(self.board.show_image, row))

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

    def save_image(self, row: int) -> None:
        """Save the full image with the red box."""
        path = self._picture(row, "image")

        def save(job: Job) -> Path:
            save_picture(path, self.crops.image(row), self.state.box(row))
            return path

        self._save(save)

    def save_crop(self, row: int) -> None:
        """Save the crop alone."""
        path = self._picture(row, "crop")

        def save(job: Job) -> Path:
            save_picture(path, self.crops.crop(row))
            return path

        self._save(save)

    def save_panels(self, row: int) -> None:
        """Save the four panels."""
        path = self._picture(row, "panels")
        title = f"{self.state.place(row)} · {' · '.join(self.state.caption(row).splitlines())}"

        def save(job: Job) -> Path:
            save_panels(path, self._view(row), title)
            return path

        self._save(save)

    def _save(self, save: Callable[[Job], Path]) -> None:
        # a slot of its own for each: a picture that was asked for is not dropped for the next one
        slot = f"save {id(save)}"
        self.work.start(slot, "saving", save, lambda path: self.say(f"saved {path}"))

    def _picture(self, row: int, kind: str) -> Path:
        value = self.state.value
        parts = value(row, "dataset"), value(row, "image_id"), value(row, "segment_id"), kind
        name = re.sub(r"[^\w.+-]+", "_", "_".join(map(str, parts)))
        return self.folder / f"{name}.png"

    def _show(self, title: str, get: Callable[[], Any], draw: Callable[[Any], None]) -> None:
        self._leave_elbow()
        self.work.start("detail", title, lambda job: get(), draw)

    def _view(self, row: int) -> ImageView:
        state = self.state
        dataset, image_id = str(state.value(row, "dataset")), str(state.value(row, "image_id"))
        model = str(state.catalogue.settings.get("model", ""))
        return image_view(
            read_prediction(self.workspace, model, dataset, image_id),
            self.crops.image(row),
            state.predicted_iou(row),
            state.pred_mapping,
            state.label_mapping(dataset) or None,
            state.box(row),
        )

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

    def colour_uniformly(self) -> None:
        """One colour for all."""
        self._colour("uniform")

    def _colour(self, colouring: Colouring) -> None:
        self.state.colouring = colouring
        self.board.draw_scatter()

    def toggle_density(self) -> None:
        """Density on or off."""
        self.state.density = not self.state.density
        self.board.draw_scatter()

    def cycle_clustering(self) -> None:
        """Take the next method of clustering; clusters that are shown are made again with it."""
        self.say(f"clustering: {CLUSTERING_NAMES[self.state.cycle_clustering()]}")
        if self.state.colouring == "clusters" and self._groups:
            self.cluster(self._groups)

    def ask_for_clusters(self) -> None:
        """Ask for the number of clusters."""
        if self.state.space is None:
            self.say("clusters are searched in a projection that is still being computed; try again soon")
            return
        or_elbow = ", or elbow for the curve" if self.state.clustering == "kmeans" else ""
        name = CLUSTERING_NAMES[self.state.clustering]
        question = (
            f"{name}: number of clusters, 1 to {len(self.state)}{or_elbow}\nEnter takes it, Escape does not"
        )
        self.overlay.prompt = Prompt(question, self._answer)
        self.overlay.refresh()

    def _answer(self, text: str) -> str:
        if text.lower() == "elbow":
            if self.state.clustering != "kmeans":
                return "the elbow is one of k-means; Escape, and # for k-means"
            self._ask_elbow()
            return ""
        if not text.isdecimal() or not 1 <= int(text) <= len(self.state):
            return f"{text!r} is no number from 1 to {len(self.state)}"
        self.cluster(int(text))
        return ""

    def _ask_elbow(self) -> None:
        space, seed = self.state.space, self.state.settings.seed
        self.work.start(
            "detail",
            "k-means with 1, 2, 3, … clusters",
            lambda job: self._call(job)("elbow_curve", space, seed=seed),
            self.board.show_elbow,
        )

    def cluster(self, number: int) -> None:
        """Cluster, and colour by it."""
        self._groups = number
        self._leave_elbow()
        options = {"method": self.state.clustering, "clusters": number, "seed": self.state.settings.seed}
        name, space = CLUSTERING_NAMES[self.state.clustering], self.state.space

        def show(groups: NDArray[np.int64]) -> None:
            self.state.clusters = groups
            found = int(groups.max()) + 1
            fewer = f" (there are no more different segments than {found})" if found < number else ""
            self._colour("clusters")
            self.say(f"{found} clusters by {name}{fewer}")

        self.work.start(
            "clusters",
            f"{name}, {number} clusters",
            lambda job: self._call(job)("cluster", space, **options),
            show,
        )

    def _leave_elbow(self) -> None:
        if self.board.detail == "elbow":
            self.board.show_keys()

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
