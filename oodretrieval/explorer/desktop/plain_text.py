"""Text that Pillow draws line by line: in an eighth of the time that matplotlib takes letter by letter."""

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import ImageFont

_WIDER = 1.08
"""How much wider matplotlib sets a line than Pillow does, at most."""


class PlainText(Text):
    """Level text without formulas and without a box: a dollar sign is one.

    In files of other kinds than pixels, and with letters that the font does not have, it is drawn as any other text.

    Args:
        x: Where, in the coordinates of its transform.
        y: Likewise.
        text: What it says.
        **style: As of any text; no rotation and no box.
    """

    def __init__(self, x: float = 0.0, y: float = 0.0, text: str = "", **style: Any) -> None:
        super().__init__(x, y, text, parse_math=False, **style)

    def draw(self, renderer: RendererBase) -> None:
        """Draw it; called by matplotlib.

        Args:
            renderer: That draws.
        """
        path = findfont(self.get_fontproperties())
        lines = self.get_text().split("\n")
        if not isinstance(renderer, RendererAgg) or not set().union(*lines) <= _letters(path):
            super().draw(renderer)
        elif self.get_visible() and self.get_text():
            font = _font(path, float(self.get_fontsize()) * renderer.dpi / 72)
            self._draw_lines(renderer, font, lines)
        self.stale = False

    def _draw_lines(self, renderer: RendererAgg, font: ImageFont.FreeTypeFont, lines: list[str]) -> None:
        place: Any = self.get_transform().transform(self.get_unitless_position())
        _, high, _, descent = font.getbbox("lp", anchor="ls")
        ascent = -high
        spacing: Any = self.get_linespacing()
        step = (ascent + descent) * (1.0 if spacing == "normal" else float(spacing))
        below = descent + (step - ascent - descent) / 2  # a line's baseline
        height = step * len(lines)
        above = {"top": 0.0, "center": height / 2, "baseline": height - below, "bottom": height}
        top = float(place[1]) + above[self.get_verticalalignment()]
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[self.get_horizontalalignment()]
        graphics = renderer.new_gc()
        self._set_gc_clip(graphics)  # type: ignore[attr-defined]  # as every artist does
        for number, line in enumerate(lines, 1):
            if line.strip():
                left, baseline = float(place[0]) - share * font.getlength(line), top - step * number + below
                pixels, right, under = self._pixels(font, line)
                renderer.draw_image(
                    graphics, round(left) + right, round(baseline) - under - len(pixels), pixels
                )
        graphics.restore()

    def _pixels(self, font: ImageFont.FreeTypeFont, line: str) -> tuple[NDArray[np.uint8], int, int]:
        """A line ``(h, w, 4)``, lowest row first; how far right of its place, and below its baseline, it starts."""
        mask, (right, below) = font.getmask2(line, "L", anchor="ls")
        covered = np.asarray(mask, np.uint8).reshape(mask.size[::-1])[::-1]
        opacity = self.get_alpha()
        pixels = np.empty((*covered.shape, 4), np.uint8)
        pixels[..., :3] = np.round(255 * np.array(to_rgb(self.get_color())))
        pixels[..., 3] = covered if opacity is None else np.round(covered * float(opacity))
        return pixels, right, below


def cut_to_width(line: str, size: float, width: float) -> str:
    """A line that is no wider than there is room for, in the letters that figures are written in.

    Args:
        line: What it says.
        size: Of its letters, pixels.
        width: Room, pixels.

    Returns:
        The line; its beginning and an ellipsis where it is too long, at least one letter of it.

    Example:
        >>> cut_to_width("tagged wheelie bin", 11, 200), cut_to_width("tagged wheelie bin", 11, 60)
        ('tagged wheelie bin', 'tagged…')
    """
    font = _font(findfont(FontProperties()), size)
    if font.getlength(line) * _WIDER <= width:
        return line
    kept = len(line) - 1
    while kept > 1 and font.getlength(f"{line[:kept]}…") * _WIDER > width:
        kept -= 1
    return f"{line[:kept].rstrip()}…"


@lru_cache(maxsize=64)
def _font(path: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=8)
def _letters(path: str) -> frozenset[str]:
    """All that a font can show."""
    return frozenset(map(chr, get_font(path).get_charmap()))
