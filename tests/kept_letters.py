"""Text that has been drawn is kept as a picture: letters are most of what figures cost."""

from functools import lru_cache
from math import ceil, hypot

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg

draw_letters = RendererAgg.draw_text
measure_letters = RendererAgg.get_text_width_height_descent


@lru_cache(maxsize=20_000)
def measured(text, font, ismath, dpi):
    """Width, height and descent of a text."""
    return measure_letters(RendererAgg(1, 1, dpi), text, font, ismath)


@lru_cache(maxsize=20_000)
def pictured(text, font, angle, ismath, dpi, colour, antialiased):
    """Picture of a text, lowest row first, and where its left and upper edge are from the text's origin, pixels."""
    middle = ceil(hypot(*measured(text, font, ismath, dpi)[:2])) + 8
    renderer = RendererAgg(2 * middle, 2 * middle, dpi)
    context = renderer.new_gc()
    context.set_foreground(colour, isRGBA=True)
    context.set_antialiased(antialiased)
    draw_letters(renderer, context, middle, middle, text, font, angle, ismath)
    picture = np.asarray(renderer.buffer_rgba())
    rows, columns = (np.flatnonzero(picture[..., 3].any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None, 0, 0
    inside = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.ascontiguousarray(inside[::-1]), columns[0] - middle, rows[0] - middle


def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
    """As matplotlib's, with letters that begin at whole pixels."""
    colour = tuple(map(float, gc.get_rgb()))
    picture, left, top = pictured(s, prop.copy(), angle, ismath, self.dpi, colour, bool(gc.get_antialiased()))
    if picture is not None:
        from_below = self.height - (round(y) + top + picture.shape[0])
        self.draw_image(gc, round(x) + left, from_below, picture)


def get_text_width_height_descent(self, s, prop, ismath):
    """As matplotlib's."""
    if ismath == "TeX":
        return measure_letters(self, s, prop, ismath)
    return measured(s, prop.copy(), ismath, self.dpi)


def keep_letters():
    """From now on, of every figure of this process that is drawn by Agg."""
    RendererAgg.draw_text = draw_text
    RendererAgg.get_text_width_height_descent = get_text_width_height_descent
