"""What is shown next to the scatter: each kind of detail in its own way."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from math import ceil, sqrt
from types import MappingProxyType
from typing import Any, assert_never

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.text import Annotation

from oodretrieval.charts.crop_sheets import clear, draw_candidates, draw_neighbours, draw_review
from oodretrieval.charts.elbow import draw_elbow, draw_silhouette
from oodretrieval.charts.image_panels import draw_four_panels, fit_legends, frame
from oodretrieval.charts.palette import BLUE, RED
from oodretrieval.explorer.commands.table import help_lines
from oodretrieval.explorer.desktop.fitted_image import FittedImage
from oodretrieval.explorer.desktop.plain_text import PlainText, cut_to_width
from oodretrieval.explorer.details import (
    CandidateGrid,
    CandidatePage,
    Detail,
    ElbowCurve,
    FoundPage,
    FourPanels,
    KeysHelp,
    Message,
    NeighbourPage,
    ReviewPage,
    SelectionPage,
    SilhouetteCurve,
    WholeImage,
)

_Sheet = CandidateGrid | NeighbourPage | ReviewPage
"""Drawn by functions that clear the figure, and use again what they find."""
_BOTTOM = 0.09
"""Where the lowest line of a sheet ends, as a share of the height."""
_AROUND = 9.0
"""Above and below a caption, with the frames, points."""
_MOST_GAP = 4.0
"""Between lines of a sheet, as a share of a crop's height."""
_HEADING = 10.5
"""Size of a heading, points."""
_TICK: dict[str, Any] = {
    "xycoords": "axes fraction", "ha": "left", "va": "top", "fontsize": 10, "color": "white", "zorder": 6,
    "bbox": {"boxstyle": "round,pad=0.25", "facecolor": BLUE, "edgecolor": "white"},
}  # fmt: skip
"""Of what is selected."""
_ABOVE: dict[str, Any] = {
    "y": 1.015,
    "ha": "center",
    "va": "bottom",
    "fontsize": _HEADING,
    "linespacing": 1.3,
}
"""Of an image's heading."""
_MEANINGS: dict[str, Any] = {
    "y": -0.02, "ha": "center", "va": "top", "fontsize": 8.5, "color": "#555555", "linespacing": 1.4,
}  # fmt: skip
"""Of what numbers mean."""
_KEYS: dict[str, Any] = {
    "family": "monospace", "fontsize": 8.5, "va": "top", "linespacing": 1.55, "color": "#444444",
}  # fmt: skip
"""Of what mouse and keys do."""
_LETTER = 0.58
"""Width of a letter in its height."""


class DetailView:
    """Draws a detail, and knows which segment, or which number of clusters, lies under a pixel of it.

    Args:
        figure: Where.

    Attributes:
        figure: As given.
    """

    def __init__(self, figure: SubFigure) -> None:
        self.figure = figure
        self._rows: dict[Axes, int] = {}
        self._elbow: Axes | None = None
        self._ticks: dict[int, Annotation] = {}
        self._image: Axes | None = None  # of a whole image: one after the other is shown in the same

    @property
    def rows(self) -> Mapping[Axes, int]:
        """Where which segment is drawn; empty for details that show none by themselves."""
        return MappingProxyType(self._rows)

    def draw(self, detail: Detail) -> None:
        """Draw a detail; replaces what was there.

        Args:
            detail: What is shown.
        """
        if not isinstance(detail, _Sheet) and (self._image is None or not isinstance(detail, WholeImage)):
            clear(self.figure)
        if not isinstance(detail, WholeImage):
            self._image = None
        self._rows, self._elbow, self._ticks = {}, None, {}
        match detail:
            case KeysHelp():
                self._draw_keys()
            case Message():
                self._draw_message(detail)
            case WholeImage():
                self._draw_image(detail)
            case FourPanels():
                self._draw_panels(detail)
            case CandidatePage() | SelectionPage() | FoundPage():
                self._draw_candidates(detail)
            case NeighbourPage():
                self._draw_neighbours(detail)
            case ReviewPage():
                drawn = draw_review(
                    self.figure, detail.pictures, detail.captions, detail.colours, detail.place, detail.curve
                )
                self._finish_sheet(drawn, detail.rows, detail.heading, font_size=8, top=0.87)
            case ElbowCurve():
                self._elbow = self.figure.add_axes((0.12, 0.16, 0.83, 0.7))
                draw_elbow(self._elbow, detail.spread, detail.heading)
            case SilhouetteCurve():
                self._elbow = self.figure.add_axes((0.12, 0.16, 0.83, 0.7))
                draw_silhouette(self._elbow, detail.values, self._wrapped(detail.heading))
            case _:
                assert_never(detail)

    def mark(self, rows: Collection[int]) -> bool:
        """Put a tick on what is selected, where some of it can be selected.

        Args:
            rows: Of the candidates that have one, among those of :func:`rows_to_choose`.

        Returns:
            Whether that changed anything.
        """
        wanted = set(rows)
        if wanted == set(self._ticks):
            return False
        for tick in self._ticks.values():
            tick.remove()
        self._ticks = {
            row: axes.annotate("✓", (0, 1), (4, -4), textcoords="offset points", **_TICK)
            for axes, row in self._rows.items()
            if row in wanted
        }
        return True

    def is_at(self, x: float) -> bool:
        """Whether a place is in this part of the window.

        Args:
            x: Pixels from the left.

        Returns:
            Whether it is.
        """
        return bool(self.figure.bbox.x0 <= x <= self.figure.bbox.x1)

    def clusters_at(self, axes: Axes | None, x: float | None) -> int | None:
        """The number of clusters under the pointer in the elbow curve.

        Args:
            axes: Under the pointer.
            x: Of the pointer, in their data.

        Returns:
            The number; None elsewhere.
        """
        if self._elbow is None or axes is not self._elbow or x is None:
            return None
        low, high = self._elbow.get_xlim()
        return int(np.clip(round(x), ceil(low), int(high)))

    def _draw_keys(self) -> None:
        width = max(len(shown) for shown, _ in help_lines())
        lines = []
        for shown, text in help_lines():
            first, *more = textwrap.wrap(text, 52)
            lines += [f"{shown:<{width}}  {first}", *(f"{'':<{width}}  {line}" for line in more)]
        room = int(
            0.88 * 72 * self.figure.bbox.height / self.figure.dpi / (_KEYS["fontsize"] * _KEYS["linespacing"])
        )
        if len(lines) > room:
            lines[room - 1 :] = [f"{'?':<{width}}  all of this"]
        self.figure.text(0.06, 0.93, "\n".join(lines), **_KEYS)

    def _draw_message(self, detail: Message) -> None:
        text = "\n".join(textwrap.fill(line, 60) for line in detail.text.splitlines())
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11}
        if detail.is_problem:  # which the status line says, too
            self.figure.text(0.5, 0.5, text, color=RED, **style)
        else:
            self.figure.text(0.5, 0.5, f"{detail.heading}\n\n{text}", linespacing=1.5, **style)

    def _draw_image(self, detail: WholeImage) -> None:
        if self._image is None:
            self._image = self.figure.add_axes((0.02, 0.1, 0.96, 0.8))
            self._image.set_axis_off()
            for style in (_ABOVE, _MEANINGS):
                written = PlainText(0.5, transform=self._image.transAxes, **style)
                self._image.add_artist(written).set_clip_on(False)
        axes = self._image
        for artist in (*axes.images, *axes.patches):
            artist.remove()
        for text, words in zip(axes.texts, (detail.heading, detail.meanings), strict=True):
            text.set_text(self._wrapped(words))
        FittedImage(axes, detail.image)
        axes.add_patch(frame(detail.box))

    def _draw_panels(self, detail: FourPanels) -> None:
        draw_four_panels(self.figure, detail.view)
        self.figure.suptitle(self._wrapped(detail.heading), fontsize=_HEADING)
        self.figure.subplots_adjust(0.01, 0.12, 0.925, 0.86)
        fit_legends(self.figure, most=4)
        for axes in self.figure.axes:
            axes.set_title(axes.get_title(), fontsize=9)
            for bar in axes.child_axes:
                bar.tick_params(labelsize=7.5, pad=2)

    def _draw_candidates(self, detail: CandidateGrid) -> None:
        drawn = draw_candidates(self.figure, detail.pictures, detail.captions, detail.columns, detail.lines)
        size = 8 if detail.columns <= 5 else 6
        self._finish_sheet(drawn, detail.rows, detail.heading, font_size=size, top=0.93)

    def _draw_neighbours(self, detail: NeighbourPage) -> None:
        (picture, *pictures), (caption, *captions) = detail.pictures, detail.captions
        columns = max(4, ceil(sqrt(len(pictures))))
        drawn = draw_neighbours(self.figure, picture, caption, pictures, captions, detail.relevant, columns)
        small = len(pictures) > 30
        self._finish_sheet(drawn, detail.rows, detail.heading, font_size=6 if small else 8, top=0.9)

    def _finish_sheet(
        self, drawn: Sequence[Axes], rows: Sequence[int], heading: str, font_size: int, top: float
    ) -> None:
        size = font_size * self.figure.dpi / 72
        for axes in drawn:
            place: Any = axes.get_subplotspec()
            room = 0.965 * self.figure.bbox.width / place.get_gridspec().ncols
            lines = (cut_to_width(line, size, room) for line in axes.get_xlabel().split("\n"))
            axes.set_xlabel("\n".join(lines), fontsize=font_size)
        self._rows = dict(zip(drawn, rows, strict=True))
        title = self._wrapped(heading)
        self.figure.suptitle(title, fontsize=_HEADING, y=0.985, va="top")
        top -= 0.02 * max(title.count("\n") - 1, 0)
        self._make_room(drawn, size, top - _BOTTOM)
        self.figure.subplots_adjust(0.02, _BOTTOM, 0.985, top)

    def _make_room(self, drawn: Sequence[Axes], size: float, height: float) -> None:
        """Part the lines of a sheet so far that what stands below a crop is seen.

        Args:
            drawn: Where crops are.
            size: Of letters, pixels.
            height: Of all lines, as a share of the figure's.
        """
        if not drawn:
            return
        place: Any = drawn[-1].get_subplotspec()
        grid = place.get_gridspec()
        most = max(axes.get_xlabel().count("\n") + 1 for axes in drawn)
        wanted = (1.25 * most * size + _AROUND * self.figure.dpi / 72) / self.figure.bbox.height
        left = height - wanted * (grid.nrows - 1)
        needed = wanted * grid.nrows / left if left > 0 else np.inf
        grid.hspace = max(grid.hspace, min(needed, _MOST_GAP))

    def _wrapped(self, heading: str) -> str:
        """A heading in lines that fit the width of the figure."""
        letters = max(20, int(72 * self.figure.bbox.width / self.figure.dpi / (_HEADING * _LETTER)))
        together = heading.replace(" · ", "\xa0· ")  # no line begins with a dot
        return "\n".join(textwrap.fill(line, letters) for line in together.splitlines()).replace("\xa0", " ")
