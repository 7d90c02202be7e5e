"""Resampling: the four views of an image, the embedding space with thumbnails, a query with its neighbours.

Functions from arrays to figures; they know matplotlib and nothing of files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from oodretrieval.labels import ClassMapping, colourise

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito's colours, told apart with every common colour vision."""

MARKERS = "osD^vPX*"
RED = "#D62728"
KNOWN = "#B0B0B0"


@dataclass(frozen=True)
class ImageView:
    """What is known of one image.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        prediction: Predicted ids, ``(H, W)``.
        pred_mapping: Predicted id → (name, colour).
        entropy: ``(H, W)``, 0 certain … 1 uniform.
        values: Of the segment at each pixel, ``(H, W)``, NaN where not known: the score that selected, or the
            predicted IoU.
        labels: Label ids, ``(H, W)``, or None.
        label_mapping: Label id → (name, colour).
        box: ``left, top, right, bottom`` to frame in red, or None.
        value_name: What the values are.
        limits: Lowest and highest value that colours tell apart.
        high_is_unknown: Whether high values, not low ones, look unknown; what does is dark.
    """

    image: NDArray[np.uint8]
    prediction: NDArray[np.integer]
    pred_mapping: ClassMapping
    entropy: NDArray[np.floating]
    values: NDArray[np.floating]
    labels: NDArray[np.integer] | None = None
    label_mapping: ClassMapping | None = None
    box: tuple[int, int, int, int] | None = None
    value_name: str = "predicted IoU"
    limits: tuple[float, float] = (0.0, 1.0)
    high_is_unknown: bool = False


def draw_four_panels(figure: FigureBase, view: ImageView, legend_columns: int = 6) -> None:
    """Entropy, score or predicted IoU of each segment, image with truth overlaid, predicted classes; clears the figure.

    Args:
        figure: Where to draw.
        view: What is known of the image.
        legend_columns: Classes in a row of a legend.
    """
    figure.clear()
    axes = figure.subplots(2, 2, gridspec_kw={"wspace": 0.02, "hspace": 0.08})
    heat = axes[0, 0].imshow(view.entropy, cmap="inferno", vmin=0, vmax=1)
    low, high = view.limits
    colours = "cividis_r" if view.high_is_unknown else "cividis"
    quality = axes[0, 1].imshow(view.values, cmap=colours, vmin=low, vmax=high)
    for axis, drawn in ((axes[0, 0], heat), (axes[0, 1], quality)):
        figure.colorbar(drawn, ax=axis, fraction=0.025, pad=0.01)
    axes[0, 0].set_title("entropy (0 certain … 1 uniform)")
    axes[0, 1].set_title(f"{view.value_name} of each segment")
    axes[1, 0].imshow(_overlay(view))
    truth = view.labels is not None and view.label_mapping is not None
    axes[1, 0].set_title("image with truth overlaid" if truth else "image")
    axes[1, 1].imshow(colourise(view.prediction, view.pred_mapping))
    axes[1, 1].set_title("predicted classes")
    present = np.unique(view.prediction)
    _legend(axes[1, 1], view.pred_mapping, present, legend_columns)
    if view.labels is not None and view.label_mapping is not None:
        _legend(axes[1, 0], view.label_mapping, np.unique(view.labels), legend_columns)
    for axis in axes.flat:
        axis.set_axis_off()
        if view.box is not None:
            axis.add_patch(frame(view.box))


def frame(box: tuple[int, int, int, int], colour: str = RED) -> Rectangle:
    """A rectangle around ``left, top, right, bottom`` (half-open pixels)."""
    left, top, right, bottom = box
    return Rectangle(
        (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2
    )


def _overlay(view: ImageView) -> NDArray[np.uint8]:
    if view.labels is None or view.label_mapping is None:
        return view.image
    painted = colourise(view.labels, view.label_mapping).astype(np.float32)
    return (0.55 * view.image + 0.45 * painted).astype(np.uint8)


def _legend(axis: Axes, mapping: ClassMapping, present: NDArray[np.integer], columns: int) -> None:
    handles = [
        Patch(color=_unit(mapping[i][1]), label=mapping[i][0]) for i in map(int, present) if i in mapping
    ]
    axis.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=columns,
        fontsize=7,
        frameon=False,
    )


def _unit(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def draw_scatter(
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
        thumbnails: Index of a point → its crop ``(h, w, 3)``, drawn beside it.
    """
    shown = [label for label in emphasised if (labels == label).any()]
    rest = ~np.isin(labels, shown)
    x, y = points.T
    axes.scatter(x[rest], y[rest], s=14, c=KNOWN, linewidths=0, label=f"known classes, void ({rest.sum()})")
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
    return PALETTE[shown.index(label) % len(PALETTE)] if label in shown else KNOWN


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


def draw_neighbours(
    figure: FigureBase,
    query: NDArray[np.uint8],
    query_caption: str,
    neighbours: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    relevant: Sequence[bool] | None = None,
    columns: int = 5,
) -> list[Axes]:
    """A query and its nearest neighbours, row by row; clears the figure.

    Args:
        figure: Where to draw.
        query: Crop ``(h, w, 3)``.
        query_caption: Text below it.
        neighbours: Crops, nearest first.
        captions: Text below each.
        relevant: Whether each neighbour is of the query's class: framed green with a tick, else red with a
            cross; None for no frames.
        columns: Neighbours in a row.

    Returns:
        Where the query is drawn, then where each neighbour is.
    """
    figure.clear()
    rows = max(1, -(-len(neighbours) // columns))
    grid = figure.add_gridspec(rows, columns + 1, wspace=0.1, hspace=0.3)
    left = figure.add_subplot(grid[:, 0])
    _crop(left, query, query_caption, PALETTE[0])
    left.set_title("query")
    drawn = [left]
    for number, (crop, caption) in enumerate(zip(neighbours, captions, strict=True)):
        axis = figure.add_subplot(grid[number // columns, 1 + number % columns])
        drawn.append(axis)
        if relevant is None:
            _crop(axis, crop, caption, KNOWN)
        else:
            mark, colour = ("✓", PALETTE[2]) if relevant[number] else ("✗", PALETTE[1])
            _crop(axis, crop, f"{mark} {caption}", colour)
    return drawn


def draw_sheet(
    figure: FigureBase, crops: Sequence[NDArray[np.uint8]], captions: Sequence[str], columns: int, rows: int
) -> list[Axes]:
    """Candidates in rows, in their order; clears the figure.

    Args:
        figure: Where to draw.
        crops: ``(h, w, 3)`` each, at most ``columns * rows``.
        captions: Text below each.
        columns: Candidates in a row.
        rows: Rows that there is room for.

    Returns:
        Where each candidate is drawn.
    """
    figure.clear()
    grid = figure.add_gridspec(rows, columns, wspace=0.1, hspace=0.42)
    drawn = []
    for number, (crop, caption) in enumerate(zip(crops, captions, strict=True)):
        axis = figure.add_subplot(grid[number // columns, number % columns])
        _crop(axis, crop, caption, KNOWN)
        drawn.append(axis)
    return drawn


def _crop(axis: Axes, crop: NDArray[np.uint8], caption: str, colour: str) -> None:
    axis.imshow(crop)
    axis.set_xlabel(caption, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])
    spines: Any = axis.spines
    for spine in spines.values():
        spine.set(color=colour, linewidth=2.5)
