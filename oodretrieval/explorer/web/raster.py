"""Very many points as a picture of the view: where they are dense it is darker, and rare colours lie on top."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from oodretrieval.charts.palette import DENSITY_MAP
from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.web.view_port import ViewPort
from oodretrieval.search.density import density_around

_FAINTEST = 0.45
"""Opacity of a single point where others are dense."""
_FEW = 200_000
"""Points in the view up to which each covers its four neighbours, too."""
_CELLS, _FINER = 160, 4
_LEVELS = 9
_CROSS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


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
    points: NDArray[np.floating], categories: Sequence[Category], view: ViewPort
) -> NDArray[np.uint8]:
    """Points as a picture of a view.

    Args:
        points: ``(n, 2)``.
        categories: Their rows and colours; faint ones lie below all others, rare ones above.
        view: What the picture shows, a pixel of it in a pixel of the picture.

    Returns:
        Colour and opacity, ``(height, width, 4)``, the lowest line first.
    """
    width, height = max(round(view.width), 1), max(round(view.height), 1)
    shown = inside(points, view)
    column = ((points[:, 0] - view.left) / view.unit).astype(np.int32)
    line = ((points[:, 1] - view.bottom) / view.unit).astype(np.int32)
    offsets = _CROSS if int(shown.sum()) <= _FEW else _CROSS[:1]
    picture = np.zeros((height, width, 4), np.uint8)
    counts = np.zeros((height, width), np.int64)
    for category in sorted(categories, key=lambda category: (not category.faint, -len(category.rows))):
        rows = category.rows[shown[category.rows]]
        x, y = column[rows], line[rows]
        for up, right in offsets:
            at = np.clip(y + up, 0, height - 1), np.clip(x + right, 0, width - 1)
            picture[at] = (*_rgb(category.colour), 255)
        if not category.faint:
            counts += np.bincount(
                np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1), minlength=height * width
            ).reshape(height, width)
    return _shaded(picture, counts)


def _shaded(picture: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Less opaque where few points are, compared with where most are."""
    dense = float(np.quantile(counts[counts > 0], 0.99)) if counts.any() else 1.0
    share = np.log1p(counts) / np.log1p(max(dense, 1.0))
    opacity = (255 * np.clip(_FAINTEST + (1 - _FAINTEST) * share, 0, 1)).astype(np.uint8)
    picture[..., 3] = np.where(picture[..., 3] > 0, opacity, 0)
    return picture


def density_picture(points: NDArray[np.floating]) -> tuple[NDArray[np.uint8], ViewPort]:
    """Where points are dense, in steps, by half of Scott's rule.

    Args:
        points: ``(n, 2)``.

    Returns:
        Colour and opacity, ``(k, k, 4)``, the lowest line first; and what it shows.
    """
    smooth, (left, right, bottom, _) = density_around(points, _CELLS)
    smooth = zoom(smooth.T, _FINER, order=1)  # edges of the steps are smooth on screen
    side = (right - left) / (len(smooth) - 1)
    highest = float(smooth.max())
    level = np.floor(_LEVELS * (smooth / highest if highest > 0 else smooth)) / _LEVELS
    picture = (mpl.colormaps[DENSITY_MAP](level / 1.7) * 255).astype(np.uint8)
    picture[level == 0] = 0
    return picture, ViewPort(left - side / 2, bottom - side / 2, side, len(smooth), len(smooth))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
