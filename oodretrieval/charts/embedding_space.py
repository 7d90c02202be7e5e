"""The embedding space as a scatter, with thumbnails of some of its points."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from oodretrieval.charts.palette import GREY, PALETTE

MARKERS = "osD^vPX*"
"""As many as there are colours in the palette; each class takes the next of both."""


def draw_embedding_space(
    axes: Axes,
    points: NDArray[np.floating],
    labels: NDArray[np.integer],
    names: Mapping[int, str],
    emphasised: Sequence[int],
    thumbnails: Mapping[int, NDArray[np.uint8]] | None = None,
) -> None:
    """The embedding space, coloured by truth.

    Args:
        axes: Where to draw.
        points: ``(n, 2)``.
        labels: Label id of each point, ``(n,)``.
        names: Label id → name.
        emphasised: Label ids with a colour and marker of their own; all others are grey.
        thumbnails: Index of a point → its crop ``(h, w, 3)``, drawn next to it.
    """
    shown = [label for label in emphasised if (labels == label).any()]
    rest = ~np.isin(labels, shown)
    x, y = points.T
    axes.scatter(x[rest], y[rest], s=14, c=GREY, linewidths=0, label=f"known classes, void ({rest.sum()})")
    for number, label in enumerate(shown):
        chosen = labels == label
        axes.scatter(
            x[chosen],
            y[chosen],
            s=36,
            c=PALETTE[number % len(PALETTE)],
            marker=MARKERS[(number + number // len(PALETTE)) % len(MARKERS)],  # no pair comes twice
            edgecolors="white",
            linewidths=0.5,
            label=f"{names.get(label, label)} ({chosen.sum()})",
        )
    for index, crop in (thumbnails or {}).items():
        _thumbnail(axes, points[index], crop, _colour_of(int(labels[index]), shown))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_xticks([])
    axes.set_yticks([])


def _colour_of(label: int, shown: Sequence[int]) -> str:
    return PALETTE[shown.index(label) % len(PALETTE)] if label in shown else GREY


def _thumbnail(axes: Axes, point: NDArray[np.floating], crop: NDArray[np.uint8], colour: str) -> None:
    zoom = 52 / max(crop.shape[:2])
    box = AnnotationBbox(
        OffsetImage(crop, zoom=zoom),
        (float(point[0]), float(point[1])),
        xybox=(0, 34),
        boxcoords="offset points",
        pad=0.1,
        bboxprops={"edgecolor": colour, "linewidth": 1.5},
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
    )
    axes.add_artist(box)
