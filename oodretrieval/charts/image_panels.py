"""The four panels of an image: entropy, score of each segment, truth, predicted classes."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from oodretrieval.charts.class_colours import colourise
from oodretrieval.charts.image_view import ImageView
from oodretrieval.charts.palette import ENTROPY_MAP, RED
from oodretrieval.colours import hex_colour
from oodretrieval.labels import ClassMapping

_LETTERS = 130
"""In a line of a title."""


def draw_four_panels(figure: FigureBase, view: ImageView, legend_columns: int = 6) -> None:
    """Entropy, score or predicted IoU of each segment, image with truth overlaid, predicted classes; clears the figure.

    Args:
        figure: Where to draw.
        view: What is known of the image.
        legend_columns: Classes in a row of a legend.
    """
    figure.clear()
    axes = figure.subplots(2, 2, gridspec_kw={"wspace": 0.17, "hspace": 0.16})
    heat = axes[0, 0].imshow(view.entropy, cmap=ENTROPY_MAP, vmin=0, vmax=1)
    low, high = view.limits
    quality = axes[0, 1].imshow(view.values, cmap=view.value_map, vmin=low, vmax=high)
    for axis, drawn in ((axes[0, 0], heat), (axes[0, 1], quality)):
        # in room of its own: all four panels keep the same size
        figure.colorbar(drawn, cax=axis.inset_axes((1.01, 0.0, 0.02, 1.0)))
    axes[1, 0].imshow(view.with_truth)
    axes[1, 1].imshow(colourise(view.prediction, view.pred_mapping))
    for axis, title in zip(axes.flat, view.titles, strict=True):
        axis.set_title(title)
    present = np.unique(view.prediction)
    _legend(axes[1, 1], view.pred_mapping, present, legend_columns)
    if view.labels is not None and view.label_mapping is not None:
        _legend(axes[1, 0], view.label_mapping, np.unique(view.labels), legend_columns)
    for axis in axes.flat:
        axis.set_axis_off()
        if view.box is not None:
            axis.add_patch(frame(view.box))


def fit_legends(figure: FigureBase, most: int) -> None:
    """Give legends of panels as many columns as there is room for: none is wider than the part of its panel.

    Args:
        figure: With the panels where they stay.
        most: Columns.
    """
    whole: Any = figure
    for axes in whole.axes:
        legend = axes.get_legend()
        if legend is None:
            continue
        room = axes.get_subplotspec().get_position(figure).width * whole.bbox.width
        names, handles = [text.get_text() for text in legend.get_texts()], legend.legend_handles
        for columns in range(most, 0, -1):
            if _add_legend(axes, handles, names, columns).get_window_extent().width <= room:
                break


def four_panel_figure(view: ImageView, title: str) -> Figure:
    """The four panels as a picture of their own.

    Args:
        view: What is known of the image.
        title: Above the panels; a long one in several lines.

    Returns:
        A figure to save; as large as its panels and legends need.
    """
    height, width = view.image.shape[:2]
    panels = 14 / 2 * height / width * 2
    figure = Figure(figsize=(14, min(max(panels, 3.0), 20.0) + 1.9))
    draw_four_panels(figure, view)
    figure.suptitle(textwrap.fill(title, _LETTERS), y=0.995, va="top")
    inches = figure.get_size_inches()[1]
    figure.subplots_adjust(0.01, 0.75 / inches, 0.945, 1 - 0.8 / inches)
    fit_legends(figure, most=6)
    return figure


def frame(box: tuple[int, int, int, int], colour: str = RED) -> Rectangle:
    """A rectangle around pixels of an image.

    Args:
        box: ``left, top, right, bottom``, half-open pixels.
        colour: As matplotlib names it.

    Returns:
        A patch to add to the axes that show the image.
    """
    left, top, right, bottom = box
    return Rectangle(
        (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2
    )


def _legend(axis: Axes, mapping: ClassMapping, present: NDArray[np.integer], columns: int) -> None:
    handles = [
        Patch(color=hex_colour(mapping[i][1]), label=mapping[i][0]) for i in map(int, present) if i in mapping
    ]
    _add_legend(axis, handles, [str(handle.get_label()) for handle in handles], columns)


def _add_legend(axis: Axes, handles: Sequence[Artist], names: Sequence[str], columns: int) -> Legend:
    return axis.legend(
        handles,
        names,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=columns,
        fontsize=7,
        frameon=False,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
    )
