"""The four panels of an image as pictures of equal size, with their legends as plain values."""

from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.class_colours import colourise
from oodretrieval.charts.image_view import ImageView
from oodretrieval.charts.palette import ENTROPY_MAP
from oodretrieval.colours import hex_colour
from oodretrieval.explorer.web.pictures import picture_address
from oodretrieval.labels import ClassMapping

_STEPS = 9
"""Colours of a colour bar between which the browser blends."""
_NOTHING = (230, 230, 230)


def four_panels(view: ImageView) -> dict[str, Any]:
    """Entropy, score or predicted IoU of each segment, image with truth overlaid, predicted classes.

    Args:
        view: What is known of the image.

    Returns:
        Their ``panels``, all of the image's ``size`` (width, height), and the ``box`` to frame, or None.
    """
    height, width = view.image.shape[:2]
    entropy, values, image, prediction = view.titles
    panels: list[dict[str, Any]] = [
        _heat(entropy, view.entropy, ENTROPY_MAP, (0.0, 1.0)),
        _heat(values, view.values, view.value_map, view.limits),
        {
            "title": image,
            "picture": picture_address(view.with_truth),
            "classes": _classes(view.label_mapping, view.labels),
        },
        {
            "title": prediction,
            "picture": picture_address(colourise(view.prediction, view.pred_mapping)),
            "classes": _classes(view.pred_mapping, view.prediction),
        },
    ]
    return {
        "panels": panels,
        "size": [width, height],
        "box": None if view.box is None else list(view.box),
    }


def _heat(
    title: str, values: NDArray[np.floating], colours: str, limits: tuple[float, float]
) -> dict[str, Any]:
    low, high = limits
    table = mpl.colormaps[colours]
    level = np.nan_to_num((values.astype(np.float32) - low) / max(high - low, 1e-12))
    painted = (table(np.clip(level, 0, 1))[..., :3] * 255).astype(np.uint8)
    painted[~np.isfinite(values)] = _NOTHING
    steps = (table(np.linspace(0, 1, _STEPS))[:, :3] * 255).astype(int).tolist()
    bar = {"low": f"{low:.2g}", "high": f"{high:.2g}", "colours": [hex_colour(tuple(c)) for c in steps]}
    return {"title": title, "picture": picture_address(painted), "bar": bar}


def _classes(mapping: ClassMapping | None, ids: NDArray[np.integer] | None) -> list[list[str]]:
    if mapping is None or ids is None:
        return []
    return [[mapping[i][0], hex_colour(mapping[i][1])] for i in map(int, np.unique(ids)) if i in mapping]
