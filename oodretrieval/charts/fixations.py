"""Pictures of fixations: points over the image next to their heat map, for one segment or a class after the other."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from oodretrieval.charts.palette import BLACK, ENTROPY_MAP, RED, YELLOW
from oodretrieval.explain import ExplainedSegment

FADED = 0.55
"""How much of the image is left below points."""
DOT = (86, 180, 233)
"""Of a fixation over its heat map, which is black, red and yellow; red, green, blue."""


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


def painted_fixations(image: NDArray[np.uint8], segment: ExplainedSegment) -> NDArray[np.uint8]:
    """Fixations and their heat map painted over a grey image, at its own size.

    Args:
        image: ``(H, W, 3)`` RGB.
        segment: What is explained.

    Returns:
        ``(H, W, 3)`` RGB.
    """
    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    heat = colormaps[ENTROPY_MAP](segment.heat)[..., :3] * 255
    opacity = 0.6 * np.sqrt(segment.heat)[..., None]
    painted: NDArray[np.uint8] = (grey * (1 - opacity) + heat * opacity).astype(np.uint8)
    radius = max(1, round(max(image.shape[:2]) / 500))
    dots = np.zeros(image.shape[:2], np.bool_)
    dots[tuple(segment.points.T)] = True
    painted[maximum_filter(dots, 2 * radius + 1)] = DOT
    return painted


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
    points.set_title(segment.title, fontsize=9)
    heat.set_title(f"{len(segment.points)} fixations, {segment.share_inside:.0%} of them inside", fontsize=9)
