"""Where points are dense, as a picture."""

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from oodretrieval.charts.palette import DENSITY_MAP
from oodretrieval.explorer.view_port import ViewPort
from oodretrieval.search.density import SHADES, density_around

_FINER = 4


def density_picture(points: NDArray[np.floating]) -> tuple[NDArray[np.uint8], ViewPort]:
    """Where points are dense, in steps, by half of Scott's rule.

    Args:
        points: ``(n, 2)``.

    Returns:
        Colour and opacity, ``(k, k, 4)``, the lowest line first; and what it shows.
    """
    smooth, (left, right, bottom, _) = density_around(points)
    smooth = zoom(smooth.T, _FINER, order=1)  # edges of the steps are smooth on screen
    side = (right - left) / (len(smooth) - 1)
    highest = float(smooth.max())
    level = np.floor(SHADES * (smooth / highest if highest > 0 else smooth)) / SHADES
    picture = (mpl.colormaps[DENSITY_MAP](level / 1.7) * 255).astype(np.uint8)
    picture[level == 0] = 0
    return picture, ViewPort(left - side / 2, bottom - side / 2, side, len(smooth), len(smooth))
