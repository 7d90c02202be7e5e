"""The picture: the scatter on the left, what is known of a segment on the right, the overlay above both."""

import textwrap
from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import LocationEvent
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from oodretrieval.explorer.actions import ACTIONS
from oodretrieval.explorer.overlay import Overlay
from oodretrieval.explorer.panels import (
    PALETTE,
    RED,
    ImageView,
    draw_four_panels,
    draw_neighbours,
    draw_sheet,
    frame,
)
from oodretrieval.explorer.scatter import draw_categories, draw_density, fit_limits
from oodretrieval.explorer.state import State
from oodretrieval.search import elbow

Detail = Literal["keys", "candidates", "image", "panels", "neighbours", "elbow", "message"]
COLUMNS, ROWS = 5, 4
PAGE = COLUMNS * ROWS
"""Candidates on a page of the contact sheet."""
REACH = 14
"""How near the pointer must come to a point, pixels at 100 dpi."""

COLOURINGS = {
    "truth": "coloured by truth",
    "prediction": "coloured by predicted class",
    "score": "coloured by the score that selected",
    "uniform": "one colour",
    "clusters": "coloured by cluster",
}


class Board:
    """Draws the state, and knows what lies under a pixel.

    Args:
        figure: An empty figure.
        state: What is drawn.

    Attributes:
        axes: The scatter.
        overlay: What comes and goes.
        detail: What the right side shows.
    """

    def __init__(self, figure: Figure, state: State) -> None:
        self.figure, self.state = figure, state
        halves: Any = figure.subfigures(1, 2, wspace=0)
        self.right: SubFigure = halves[1]
        self.axes: Axes = halves[0].add_axes((0.015, 0.06, 0.97, 0.875))
        self.overlay = Overlay(figure, self.axes)
        self.detail: Detail = "keys"
        self._rows: dict[Axes, int] = {}
        self._elbow: Axes | None = None

    # -- the scatter ---------------------------------------------------------------------------------------

    def draw_scatter(self) -> None:
        """Draw the scatter as the state has it."""
        points = self.state.points
        if points is None:
            self.axes.set_axis_off()
        else:
            self.axes.set_axis_on()
            draw_categories(self.axes, points, self.state.categories(), self.state.settings.mainplot.legend)
            if self.state.density:
                draw_density(self.axes, points)
        self.axes.set_title(self._title(), fontsize=10.5, loc="left")
        self.figure.canvas.draw_idle()

    def fit(self) -> None:
        """Make the scatter fit a window of another size."""
        if self.state.points is not None:
            fit_limits(self.axes, self.state.points, self.state.settings.mainplot.legend)

    def _title(self) -> str:
        state = self.state
        method = "PCA for now" if state.preliminary else METHOD_NAMES[state.settings.method]
        return " · ".join(
            [
                f"{state.catalogue.name}: {len(state)} segments",
                method,
                COLOURINGS[state.colouring],
                f"{state.metric} distance",
            ]
        )

    def draw_rings(self, neighbours: Sequence[int] = ()) -> None:
        """Ring the query and its neighbours in the scatter."""
        points, query = self.state.points, self.state.query
        if points is None or query is None:
            self.overlay.ring_neighbours(None)
        else:
            self.overlay.ring_neighbours(points[query], points[list(neighbours)])

    # -- the right side ------------------------------------------------------------------------------------

    def show_keys(self) -> None:
        """What a person can do, from the table."""
        self._clear("keys")
        width = max(len(action.shown) for action in ACTIONS)
        lines = []
        for action in ACTIONS:
            first, *more = textwrap.wrap(action.text, 52)
            lines += [f"{action.shown:<{width}}  {first}", *(f"{'':<{width}}  {line}" for line in more)]
        self.right.text(
            0.06, 0.93, "\n".join(lines), family="monospace", fontsize=8.5, va="top", linespacing=1.55,
            color="#444444",
        )  # fmt: skip
        self.figure.canvas.draw_idle()

    def show_message(self, text: str) -> None:
        """A text where a picture was asked for."""
        self._clear("message")
        self.right.text(0.5, 0.5, textwrap.fill(text, 60), ha="center", va="center", fontsize=11, color=RED)
        self.figure.canvas.draw_idle()

    def show_image(self, row: int, image: NDArray[np.uint8]) -> None:
        """The full image ``(H, W, 3)`` of a segment, which is framed in red."""
        self._clear("image")
        axes = self.right.add_axes((0.02, 0.1, 0.96, 0.8))
        axes.imshow(image)
        axes.add_patch(frame(self.state.box(row)))
        axes.set_axis_off()
        axes.set_title(self._heading(row), fontsize=10.5)
        self.figure.canvas.draw_idle()

    def show_panels(self, row: int, view: ImageView) -> None:
        """The four panels of a segment's image."""
        self._clear("panels")
        draw_four_panels(self.right, view, legend_columns=4)
        note = "" if self.state.judges_all else "\nonly the selected segments' values are known"
        self.right.suptitle(self._heading(row) + note, fontsize=10.5)
        self.right.subplots_adjust(0.01, 0.12, 0.95, 0.86)
        place: Any = self.right.axes[0].get_subplotspec()
        place.get_topmost_subplotspec().get_gridspec().update(wspace=0.06, hspace=0.16)
        for axes in self.right.axes:
            axes.set_title(axes.get_title(), fontsize=9)
            axes.tick_params(labelsize=8)
        self.figure.canvas.draw_idle()

    def show_candidates(
        self, start: int, rows: Sequence[int], pictures: Mapping[int, NDArray[np.uint8]]
    ) -> None:
        """A page of the contact sheet.

        Args:
            start: Place of the first one, from 0.
            rows: In the order of their score.
            pictures: Row → crop ``(h, w, 3)``.
        """
        self._clear("candidates")
        ranking = self.state.ranking
        assert ranking is not None  # there is nothing to show without one
        captions = []
        for place, row in enumerate(rows, start + 1):
            more = f" ×{ranking.repeats(row) + 1}" if ranking.repeats(row) else ""
            captions.append(f"{place}{more} · {ranking.scores[row]:.2f}\n{self._name(row)}")
        drawn = draw_sheet(self.right, [pictures[row] for row in rows], captions, COLUMNS, ROWS)
        for axes in drawn:
            axes.xaxis.label.set_fontsize(8)
        self._rows = dict(zip(drawn, rows, strict=True))
        again = " (×: how often it is seen in near frames)" if any(map(ranking.repeats, rows)) else ""
        self.right.suptitle(
            f"Candidates {start + 1} to {start + len(rows)} of {len(ranking.rows)}, highest {self.state.score_name} "
            f"first{again}",
            fontsize=10.5,
            y=0.968,
        )
        self.right.subplots_adjust(0.02, 0.09, 0.985, 0.93)
        self.figure.canvas.draw_idle()

    def show_neighbours(
        self, row: int, neighbours: Sequence[tuple[int, float]], pictures: Mapping[int, NDArray[np.uint8]]
    ) -> None:
        """A query and its neighbours.

        Args:
            row: The query.
            neighbours: Rows and distances, nearest first.
            pictures: Row → crop ``(h, w, 3)``.
        """
        self._clear("neighbours")
        state = self.state
        known = [state.same_class(row, other) for other, _ in neighbours]
        relevant = None if any(same is None for same in known) else [bool(same) for same in known]
        drawn = draw_neighbours(
            self.right,
            pictures[row],
            self._name(row),
            [pictures[other] for other, _ in neighbours],
            [f"{self._name(other)}\n{distance:.3g}" for other, distance in neighbours],
            relevant,
            columns=max(4, ceil(sqrt(len(neighbours)))),
        )
        small = len(neighbours) > 30
        for axes in drawn:
            axes.xaxis.label.set_fontsize(6 if small else 8)
        self._rows = dict(zip(drawn, [row, *(other for other, _ in neighbours)], strict=True))
        self.right.suptitle(
            f"{len(neighbours)} nearest neighbours by {state.metric} distance", fontsize=10.5, y=0.968
        )
        self.right.subplots_adjust(0.02, 0.09, 0.985, 0.9)
        self.draw_rings([other for other, _ in neighbours])
        self.figure.canvas.draw_idle()

    def show_elbow(self, curve: NDArray[np.floating]) -> None:
        """The spread within clusters over their number, ``(k,)``; a click in it takes a number."""
        self._clear("elbow")
        axes = self.right.add_axes((0.12, 0.16, 0.83, 0.7))
        numbers = np.arange(1, len(curve) + 1)
        axes.plot(numbers, curve, "o-", color=PALETTE[0])
        bend = elbow(curve)
        axes.axvline(bend, color="#999999", linestyle="--", linewidth=1)
        axes.annotate(
            f"bends most at {bend}", (bend, 0.94), xycoords=("data", "axes fraction"), xytext=(6, 0),
            textcoords="offset points", fontsize=9,
        )  # fmt: skip
        axes.set_xlabel("number of clusters")
        axes.set_ylabel("squared distances to the nearest centre")
        axes.set_title("k-means: click on the number of clusters to take", fontsize=10.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, len(curve) + 0.5)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        self._elbow = axes
        self.figure.canvas.draw_idle()

    def _clear(self, detail: Detail) -> None:
        self.right.clear()
        self.detail, self._rows, self._elbow = detail, {}, None

    def _name(self, row: int) -> str:
        return self.state.truth_name(row) or self.state.predicted_name(row)

    def _heading(self, row: int) -> str:
        return f"{self.state.place(row)}\n{' · '.join(self.state.caption(row).splitlines())}"

    # -- what lies where -----------------------------------------------------------------------------------

    def row_at(self, event: LocationEvent) -> int | None:
        """The segment under the pointer, in the scatter or among the neighbours; None if there is none."""
        if event.inaxes is self.axes and self.state.points is not None:
            pixels = self.axes.transData.transform(self.state.points)
            away = np.hypot(*(pixels - (event.x, event.y)).T)
            if self.state.ranking is not None:
                away[~self.state.ranking.visible] = np.inf
            nearest = int(away.argmin())
            return nearest if away[nearest] <= REACH * self.figure.dpi / 100 else None
        return None if event.inaxes is None else self._rows.get(event.inaxes)

    def is_pointed_at(self, event: LocationEvent) -> bool:
        """Whether the pointer is where segments are: in the scatter or among the neighbours."""
        return event.inaxes is self.axes or event.inaxes in self._rows

    def elbow_at(self, event: LocationEvent) -> int | None:
        """The number of clusters under the pointer in the elbow curve; None elsewhere."""
        if self._elbow is None or event.inaxes is not self._elbow or event.xdata is None:
            return None
        low, high = self._elbow.get_xlim()
        return int(np.clip(round(event.xdata), ceil(low), int(high)))


METHOD_NAMES = {"tsne": "t-SNE", "isomap": "Isomap", "pca": "PCA"}
