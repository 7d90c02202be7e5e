"""What comes and goes over the picture: drawn on a copy of it, so that ten thousand points are not drawn again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage, TextArea, VPacker
from matplotlib.text import Text
from numpy.typing import NDArray

from oodretrieval.explorer.actions import ACTIONS
from oodretrieval.explorer.panels import RED
from oodretrieval.explorer.prompt import Prompt

_SPINNER = "◐◓◑◒"
_NEIGHBOUR = "#111111"
_SHORTEST = 110
"""A thumbnail's longer side on screen, pixels at 100 dpi."""
_ROOM = 215
"""What a thumbnail with its caption takes beside the pointer, pixels at 100 dpi."""


class Overlay:
    """Thumbnail, rings, status line, progress, question and help.

    Args:
        figure: Over which.
        axes: The scatter, in which the rings are.

    Attributes:
        status: Last thing said, in the bottom line.
        progress: What is under way, in the bottom line.
        prompt: Open question, or None.
        help: Whether the help is shown.
        thumbnail: The box beside the pointer, or None.
    """

    def __init__(self, figure: Figure, axes: Axes) -> None:
        self.figure, self.axes = figure, axes
        self.status = "? shows what mouse and keys do"
        self.progress = ""
        self.prompt: Prompt | None = None
        self.help = False
        self.thumbnail: AnnotationBbox | None = None
        self._background: Any = None
        self._turn = 0
        self._hovered, self._query, self._neighbours = _ring(17, RED), _ring(20, RED), _ring(14, _NEIGHBOUR)
        self.bottom = _text(figure, 0.008, 0.012, va="bottom", ha="left", fontsize=9.5, color="#333333")
        self.working = _text(figure, 0.992, 0.012, va="bottom", ha="right", fontsize=9.5, color="#8a3b00")
        box = {"boxstyle": "round,pad=0.8", "facecolor": "#fffef5", "edgecolor": "#333333", "alpha": 0.98}
        self.question = _text(
            figure, 0.5, 0.5, va="center", ha="center", fontsize=12, bbox=box, linespacing=1.6
        )
        self.help_text = _text(
            figure,
            0.5,
            0.5,
            va="center",
            ha="center",
            ma="left",
            family="monospace",
            bbox=box,
            linespacing=1.45,
        )
        figure.canvas.mpl_connect("draw_event", self._after_draw)

    # -- what is shown -------------------------------------------------------------------------------------

    def show_thumbnail(
        self, pixel: tuple[float, float], picture: NDArray[np.uint8] | None, caption: str
    ) -> None:
        """Put a thumbnail with its caption beside a pixel of the canvas; only the caption without a picture."""
        parts: list[Artist] = []
        if picture is not None:
            zoom = _SHORTEST / max(picture.shape[:2])
            parts.append(OffsetImage(picture, zoom=zoom, interpolation="bilinear"))
        parts.append(TextArea(caption, textprops={"fontsize": 8.5, "linespacing": 1.25}))
        width, height = self.figure.bbox.size
        edge = width / 2 if pixel[0] < width / 2 else width  # the box stays on its side of the figure
        right, up = pixel[0] + _ROOM * self.figure.dpi / 100 < edge, pixel[1] < height * 0.65
        self.thumbnail = AnnotationBbox(
            VPacker(children=parts, align="center", pad=3, sep=4),
            pixel,
            xybox=(16 if right else -16, 16 if up else -16),
            xycoords="figure pixels",
            boxcoords="offset points",
            box_alignment=(0 if right else 1, 0 if up else 1),
            pad=0.2,
            bboxprops={"facecolor": "white", "edgecolor": "#444444", "linewidth": 1.0},
            annotation_clip=False,
        )
        self.thumbnail.set_figure(self.figure)

    def hide_thumbnail(self) -> None:
        """Take the thumbnail away."""
        self.thumbnail = None
        self._hovered.set_data([], [])

    def ring_hovered(self, point: NDArray[np.floating] | None) -> None:
        """Ring the point of the segment under the pointer."""
        self._hovered.set_data(*(([], []) if point is None else ([point[0]], [point[1]])))

    def ring_neighbours(
        self, query: NDArray[np.floating] | None, neighbours: NDArray[np.floating] | None = None
    ) -> None:
        """Ring a query and its neighbours in the scatter, ``(2,)`` and ``(k, 2)``; None for no rings."""
        self._query.set_data(*(([], []) if query is None else ([query[0]], [query[1]])))
        self._neighbours.set_data(*(([], []) if neighbours is None else neighbours.T))

    def turn(self) -> None:
        """Let the sign of work under way turn."""
        self._turn += 1

    # -- drawing -------------------------------------------------------------------------------------------

    @property
    def rings(self) -> Sequence[Line2D]:
        """Rings of hovered segment, query and neighbours."""
        return self._hovered, self._query, self._neighbours

    def refresh(self) -> None:
        """Show what changed, over the picture as it was drawn last."""
        canvas = self.figure.canvas
        if self._background is None or not canvas.supports_blit:
            canvas.draw_idle()
            return
        blitting: Any = canvas
        blitting.restore_region(self._background)
        self._draw(canvas)
        blitting.blit(self.figure.bbox)

    def _after_draw(self, event: Any) -> None:
        if event.canvas is not self.figure.canvas:
            return
        blitting: Any = event.canvas
        if blitting.supports_blit:
            self._background = blitting.copy_from_bbox(self.figure.bbox)
        self._draw(event.canvas)

    def _draw(self, canvas: FigureCanvasBase) -> None:
        self.bottom.set_text(self.status)
        sign = _SPINNER[self._turn % len(_SPINNER)]
        self.working.set_text(f"{sign} {self.progress}" if self.progress else "")
        prompt = self.prompt
        self.question.set_text(
            "" if prompt is None else f"{prompt.question}\n› {prompt.text}▏\n{prompt.problem}"
        )
        self.help_text.set_text(help_text() if self.help else "")
        if self.help:
            self.help_text.set_fontsize(self._fitting(help_text()))
        artists: list[Artist | None] = [*self._placed_rings(), self.bottom, self.working, self.thumbnail]
        renderer = canvas.get_renderer()  # type: ignore[attr-defined]
        for artist in [*artists, self.help_text, self.question]:
            if artist is not None and not (isinstance(artist, Text) and not artist.get_text()):
                artist.draw(renderer)

    def _placed_rings(self) -> list[Line2D]:
        for ring in self.rings:
            if ring.axes is None:
                self.axes.add_artist(ring)  # unlike add_line, this leaves the limits alone
        return list(self.rings)

    def _fitting(self, text: str) -> float:
        """Size of a letter, points, at which a text fits the figure."""
        lines = text.splitlines()
        width, height = (72 * side for side in self.figure.get_size_inches())
        fitting = min(0.92 * width / (0.62 * max(map(len, lines))), 0.86 * height / (1.5 * len(lines)))
        return float(np.clip(fitting, 3, 11))


def help_text() -> str:
    """All actions, one a line in two columns."""
    width = max(len(action.shown) for action in ACTIONS)
    return "\n".join(f"{action.shown:<{width}}   {action.text}" for action in ACTIONS)


def _ring(size: float, colour: str) -> Line2D:
    width = 2.2 if colour == RED else 1.3
    return Line2D(
        [], [], linestyle="", marker="o", markersize=size, fillstyle="none", markeredgecolor=colour,
        markeredgewidth=width, animated=True, zorder=6,
    )  # fmt: skip


def _text(figure: Figure, x: float, y: float, **style: Any) -> Text:
    return figure.text(x, y, "", animated=True, **style)
