"""What comes and goes over the picture: drawn on a copy of it, so that ten thousand points are not drawn again."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage, TextArea, VPacker
from matplotlib.text import Text

from oodretrieval.charts.palette import RED
from oodretrieval.explorer.commands.table import help_lines
from oodretrieval.explorer.desktop.plain_text import PlainText
from oodretrieval.explorer.desktop.rings import Rings
from oodretrieval.explorer.presentation import Presentation, Thumbnail
from oodretrieval.explorer.prompt import Prompt

_SPINNER = "◐◓◑◒"
_SHORTEST = 110
"""A thumbnail's longer side on screen, pixels at 100 dpi."""
_ROOM = 290
"""What a thumbnail with its caption takes next to the pointer, pixels at 100 dpi."""
_WIDEST = 92
"""Letters in a line of a question."""
_NARROW = 52
"""Letters in a line next to the pointer."""
_FINE = 52
"""The same of what numbers mean, in smaller ones."""
_STATUS = 9.5
"""Size of the status line, points."""
_LETTER = 0.58
"""Width of a letter in its height."""
_HELP = 58
"""Letters in a line of the help, next to the key."""
_PAPER = {"boxstyle": "round,pad=0.8", "facecolor": "#fffef5", "edgecolor": "#333333", "alpha": 0.98}


class Overlay:
    """Thumbnail, rings, status line, progress, question and help.

    Args:
        figure: Over which.
        axes: The scatter, in which the rings are.
        presentation: What is shown.

    Attributes:
        rings: In the scatter.
        thumbnail: The box next to the pointer, or None.
        bottom: The status line.
        working: The sign and the line of what is under way.
        question: The open question with what was typed.
        traced: The lasso or rectangle that is being drawn.
        help_text: The help.
    """

    def __init__(self, figure: Figure, axes: Axes, presentation: Presentation) -> None:
        self._figure, self._presentation = figure, presentation
        self._background: Any = None
        self._drawn: tuple[float, ...] = ()  # size of the figure that the background is of
        self.rings = Rings(axes)
        self.thumbnail: AnnotationBbox | None = None
        self.bottom = PlainText(0.008, 0.012, va="bottom", ha="left", fontsize=_STATUS, color="#333333")
        self.working = PlainText(0.992, 0.012, va="bottom", ha="right", fontsize=_STATUS, color="#8a3b00")
        for line in (self.bottom, self.working):
            line.set_animated(True)
            figure.add_artist(line)
        middle = {"va": "center", "ha": "center", "bbox": _PAPER}
        self.question = _text(
            figure, 0.5, 0.5, fontsize=10.5, linespacing=1.5, ma="left", family="monospace", **middle
        )
        self.traced = Line2D([], [], color=RED, linewidth=1.6, linestyle="--", animated=True)
        self.traced.set_figure(figure)
        self.help_text = _text(figure, 0.5, 0.5, ma="left", family="monospace", linespacing=1.45, **middle)
        figure.canvas.mpl_connect("draw_event", self._after_draw)

    def place_thumbnail(self) -> None:
        """Put the box next to the pointer, as it is presented; it is seen after the next :meth:`refresh`."""
        shown = self._presentation.thumbnail
        self.thumbnail = None if shown is None else _thumbnail_box(self._figure, shown)

    def trace(self, pixels: Sequence[tuple[float, float]]) -> None:
        """Show what is being drawn around points.

        Args:
            pixels: Corners, pixels of the canvas; none for nothing.
        """
        closed = [*pixels, *pixels[:1]]
        self.traced.set_data([x for x, _ in closed], [y for _, y in closed])
        self.refresh()

    def refresh(self) -> None:
        """Show what changed, over the picture as it was drawn last."""
        self.redraw()

    def redraw(self, *halves: SubFigure) -> None:
        """Draw parts of the figure again, the rest stays as it was drawn last: text takes longer than points.

        Args:
            halves: Which parts; none for what lies over the picture alone.
        """
        canvas: Any = self._figure.canvas
        size = tuple(self._figure.bbox.size)
        if self._background is None or not canvas.supports_blit or self._drawn != size:
            canvas.draw_idle()
            return
        canvas.restore_region(self._background)
        renderer = canvas.get_renderer()
        for half in halves:
            half.draw(renderer)
        if halves:
            self._background = canvas.copy_from_bbox(self._figure.bbox)
        self._draw(renderer)
        canvas.blit(self._figure.bbox)

    def _after_draw(self, event: Any) -> None:
        if event.canvas is not self._figure.canvas:
            return
        blitting: Any = event.canvas
        if blitting.supports_blit:
            self._background = blitting.copy_from_bbox(self._figure.bbox)
            self._drawn = tuple(self._figure.bbox.size)
        self._draw(event.renderer)  # of any kind of file, too

    def _draw(self, renderer: RendererBase) -> None:
        self._write_texts()
        artists: list[Artist | None] = [
            *self.rings.placed(), self.traced, self.bottom, self.working, self.thumbnail,
        ]  # fmt: skip
        for artist in [*artists, self.help_text, self.question]:
            if artist is not None and not (isinstance(artist, Text) and not artist.get_text()):
                artist.draw(renderer)

    def _write_texts(self) -> None:
        shown = self._presentation
        sign = _SPINNER[shown.turns % len(_SPINNER)]
        self.working.set_text(f"{sign} {shown.progress} · Backspace cancels" if shown.progress else "")
        self.bottom.set_text(self._status_lines())
        prompt = shown.prompt
        self.question.set_text("" if prompt is None else _asked(prompt))
        self.help_text.set_text(help_text() if shown.help else "")
        if shown.help:
            self.help_text.set_fontsize(self._fitting(help_text()))

    def _status_lines(self) -> str:
        """What was said, in as many lines as it needs next to what is under way: a path is read to its end."""
        letters = int(72 * self._figure.get_figwidth() / (_STATUS * _LETTER))
        room = max(letters - len(self.working.get_text()) - 4, letters // 3)
        return textwrap.fill(self._presentation.status, room)

    def _fitting(self, text: str) -> float:
        """Size of a letter, points, at which a text fits the figure."""
        lines = text.splitlines()
        width, height = (72 * side for side in self._figure.get_size_inches())
        fitting = min(0.92 * width / (0.62 * max(map(len, lines))), 0.86 * height / (1.5 * len(lines)))
        return float(np.clip(fitting, 3, 11))


def help_text() -> str:
    """The table of commands as text.

    Returns:
        Lines of two columns of commands, long texts in several lines.
    """
    width = max(len(shown) for shown, _ in help_lines())
    entries = []
    for shown, text in help_lines():
        first, *more = textwrap.wrap(text, _HELP)
        entries.append([f"{shown:<{width}}  {first}", *(f"{'':<{width}}  {line}" for line in more)])
    height = -(-sum(map(len, entries)) // 2)
    left: list[str] = []
    while entries and len(left) + len(entries[0]) <= height:
        left += entries.pop(0)
    right = [line for entry in entries for line in entry]
    pairs = zip_longest(left, right, fillvalue="")
    return "\n".join(f"{one:<{width + _HELP + 5}}{other}".rstrip() for one, other in pairs)


def _asked(prompt: Prompt) -> str:
    """A question with what was typed and what was wrong with it, in lines that a window has room for."""
    parts = [prompt.question, f"› {prompt.text}▏", prompt.problem]
    lines = [line for part in parts for line in part.splitlines()]
    return "\n".join(
        shorter
        for line in lines
        for shorter in (
            [line] if len(line) <= _WIDEST else textwrap.wrap(line, _WIDEST, subsequent_indent="  ")
        )
    )


def _thumbnail_box(figure: Figure, shown: Thumbnail) -> AnnotationBbox:
    """A thumbnail with its caption, or the caption alone, on the side of the pointer where there is room."""
    parts: list[Artist] = []
    if shown.picture is not None:
        zoom = _SHORTEST / max(shown.picture.shape[:2])
        parts.append(OffsetImage(shown.picture, zoom=zoom, interpolation="bilinear"))
    lines = shown.caption.replace(" · ", "\xa0· ").splitlines()  # no line begins with a dot
    caption = "\n".join(textwrap.fill(line, _NARROW).replace("\xa0", " ") for line in lines)
    parts.append(TextArea(caption, textprops={"fontsize": 8.5, "linespacing": 1.25}))
    if shown.meanings:
        said = "\n".join(textwrap.fill(line, _FINE) for line in shown.meanings.splitlines())
        parts.append(TextArea(said, textprops={"fontsize": 7.5, "linespacing": 1.25, "color": "#555555"}))
    x, y = shown.pointer
    width, height = figure.bbox.size
    edge = width / 2 if x < width / 2 else width  # the box stays on its side of the figure
    right, up = x + _ROOM * figure.dpi / 100 < edge, y < height * 0.55
    box = AnnotationBbox(
        VPacker(children=parts, align="center", pad=3, sep=4),
        shown.pointer,
        xybox=(16 if right else -16, 16 if up else -16),
        xycoords="figure pixels",
        boxcoords="offset points",
        box_alignment=(0 if right else 1, 0 if up else 1),
        pad=0.2,
        bboxprops={"facecolor": "white", "edgecolor": "#444444", "linewidth": 1.0},
        annotation_clip=False,
    )
    box.set_figure(figure)
    return box


def _text(figure: Figure, x: float, y: float, **style: Any) -> Text:
    return figure.text(x, y, "", animated=True, **style)
