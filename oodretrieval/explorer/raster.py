"""Very many points as a picture of the view: dense places are darker, rare colours lie on top. Knows no toolkit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.colours import rgb_colour
from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.view_port import ViewPort

EXACT = 30_000
"""Points up to which each is drawn by itself; of more, the view is drawn as a picture."""
_FAINTEST = 0.45
"""Opacity of a single point where others are dense."""
_PALE = 0.25
"""Share of its colour that a segment keeps that is not selected while others are."""
_FEW = 200_000
"""Points in the view up to which each covers its four neighbours, too."""
_CROSS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True, eq=False)
class Layer:
    """Points of one colour.

    Attributes:
        rows: Which points, ``(k,)``.
        colour: ``#rrggbb``.
        counts: Whether they make a place darker.
    """

    rows: NDArray[np.intp]
    colour: str
    counts: bool = True


def layers_of(categories: Sequence[Category], selected: NDArray[np.bool_] | None = None) -> list[Layer]:
    """The layers that categories are drawn in.

    Args:
        categories: Their rows and colours.
        selected: Which rows are selected, ``(n,)``: the others are pale, and below; None for none.

    Returns:
        Faint ones first, then the large ones before the rare ones.
    """
    order = sorted(categories, key=lambda category: (not category.faint, -len(category.rows)))
    if selected is None:
        return [Layer(each.rows, each.colour, not each.faint) for each in order]
    chosen = [selected[each.rows] for each in order]
    pairs = list(zip(order, chosen, strict=True))
    below = [Layer(each.rows[~here], _pale(each.colour), not each.faint) for each, here in pairs]
    return below + [Layer(each.rows[here], each.colour) for each, here in pairs]


def inside(points: NDArray[np.floating], view: ViewPort) -> NDArray[np.bool_]:
    """Which points lie in a view.

    Args:
        points: ``(n, 2)``.
        view: Of the plane.

    Returns:
        ``(n,)``.
    """
    x, y = points[:, 0], points[:, 1]
    return (x >= view.left) & (x < view.right) & (y >= view.bottom) & (y < view.top)


def points_picture(
    points: NDArray[np.floating], layers: Sequence[Layer], view: ViewPort
) -> NDArray[np.uint8]:
    """Points as a picture of a view.

    Args:
        points: ``(n, 2)``.
        layers: Which of them in which colour, the lowest first; a point is in at most one.
        view: What the picture shows, a pixel of it in a pixel of the picture.

    Returns:
        Colour and opacity, ``(height, width, 4)``, the lowest line first.
    """
    width, height = max(round(view.width), 1), max(round(view.height), 1)
    shown = inside(points, view)
    unit = points.dtype.type(view.unit)
    column = np.clip((points[:, 0] - points.dtype.type(view.left)) / unit, 0, width - 1).astype(np.int32)
    line = np.clip((points[:, 1] - points.dtype.type(view.bottom)) / unit, 0, height - 1).astype(np.int32)
    place = line * width + column
    place[~shown] = width * height  # beyond the picture
    offsets = _CROSS if int(shown.sum()) <= _FEW else _CROSS[:1]
    top = np.zeros((height + 2) * (width + 2), np.int32)  # which layer is seen, with a margin for the crosses
    counts = np.zeros(width * height + 1, np.int64)
    for number, layer in enumerate(layers, 1):
        here = place[layer.rows]
        if layer.counts:
            counts += np.bincount(here, minlength=len(counts))
        if len(offsets) > 1:
            here = here[here < width * height]
        at = (here // width + 1) * (width + 2) + here % width + 1
        for up, right in offsets:
            top[at + up * (width + 2) + right] = number
    seen = top.reshape(height + 2, width + 2)[1:-1, 1:-1]
    colours = np.array([(0, 0, 0, 0), *((*rgb_colour(layer.colour), 255) for layer in layers)], np.uint8)
    return _shaded(colours[seen], counts[:-1].reshape(height, width))


def _shaded(picture: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Less opaque where few points are, compared with where most are."""
    dense = float(np.quantile(counts[counts > 0], 0.99)) if counts.any() else 1.0
    share = np.log1p(counts) / np.log1p(max(dense, 1.0))
    opacity = (255 * np.clip(_FAINTEST + (1 - _FAINTEST) * share, 0, 1)).astype(np.uint8)
    picture[..., 3] = np.where(picture[..., 3] > 0, opacity, 0)
    return picture


def _pale(colour: str) -> str:
    return "#" + "".join(f"{round(255 - (255 - part) * _PALE):02x}" for part in rgb_colour(colour))
