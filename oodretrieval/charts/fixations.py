"""Pictures of fixations: points over the image next to their heat map, for one segment or a class after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from oodretrieval.charts.palette import BLACK, ENTROPY_MAP, RED, YELLOW

FADED = 0.55
"""How much of the image is left below points and heat."""


@dataclass(frozen=True, eq=False)
class ExplainedSegment:
    """Why pixels are of a class.

    Attributes:
        title: What is explained.
        mask: The pixels, ``(H, W)`` bool.
        points: Rows and columns of the fixations, ``(k, 2)``.
        heat: Their heat map, ``(H, W)``, 0…1.
    """

    title: str
    mask: NDArray[np.bool_]
    points: NDArray[np.int64]
    heat: NDArray[np.float32]


def fixation_figure(image: NDArray[np.uint8], segments: Sequence[ExplainedSegment], title: str) -> Figure:
    """A line of two panels for each segment: its fixations, and their heat map.

    Args:
        image: ``(H, W, 3)`` RGB.
        segments: At least one.
        title: Above all.

    Returns:
        The picture.
    """
    height, width = image.shape[:2]
    across = min(2, len(segments))
    down = -(-len(segments) // across)
    panel = 4.4
    figure = Figure(
        figsize=(2 * across * panel, down * (panel * height / width + 0.35) + 0.5), layout="constrained"
    )
    axes = figure.subplots(down, 2 * across, squeeze=False).ravel()
    for each in axes:
        each.set_axis_off()
    for number, segment in enumerate(segments):
        _draw_pair(axes[2 * number], axes[2 * number + 1], image, segment)
    figure.suptitle(title, fontsize=11)
    return figure


def draw_fixations(figure: FigureBase, image: NDArray[np.uint8], segment: ExplainedSegment) -> None:
    """Fixations of one segment above their heat map; clears the figure.

    Args:
        figure: Where to draw.
        image: ``(H, W, 3)`` RGB.
        segment: What is explained.
    """
    figure.clear()
    upper, lower = figure.subplots(2, 1)
    for axes in (upper, lower):
        axes.set_axis_off()
    _draw_pair(upper, lower, image, segment)


def _draw_pair(points: Axes, heat: Axes, image: NDArray[np.uint8], segment: ExplainedSegment) -> None:
    grey = image.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    points.imshow((FADED * image + 255 * (1 - FADED)).astype(np.uint8))
    size = max(1.5, 5 - len(segment.points) / 400)
    points.plot(
        segment.points[:, 1],
        segment.points[:, 0],
        "o",
        color=RED,
        markersize=size,
        markeredgewidth=0,
        zorder=3,
    )
    heat.imshow(grey)
    heat.imshow(segment.heat, cmap=ENTROPY_MAP, alpha=0.85 * np.sqrt(segment.heat), vmin=0, vmax=1)
    if segment.mask.any() and not segment.mask.all():
        points.contour(segment.mask, levels=[0.5], colors=BLACK, linewidths=1.0)
        heat.contour(segment.mask, levels=[0.5], colors=YELLOW, linewidths=0.8)
    inside = float(segment.mask[tuple(segment.points.T)].mean()) if len(segment.points) else 0.0
    points.set_title(segment.title, fontsize=9)
    heat.set_title(f"{len(segment.points)} fixations, {inside:.0%} of them inside", fontsize=9)
