"""Crops of segments side by side: candidates in their order, a query with its nearest neighbours."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.gridspec import SubplotSpec
from numpy.typing import NDArray

from oodretrieval.charts.palette import BLUE, GREEN, GREY, ORANGE, REFERENCE_LINE
from oodretrieval.choices import REVIEW_PAGE

_OF_A_CROP = "crop"
"""What axes are called that one crop is shown in."""


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
        relevant: Whether each neighbour is of the query's class: framed green with a tick, else orange with a
            cross; None for no frames.
        columns: Neighbours in a row.

    Returns:
        Where the query is drawn, then where each neighbour is.

    Raises:
        ValueError: If there are not as many captions as neighbours.
    """
    spare = clear(figure)
    rows = max(1, -(-len(neighbours) // columns))
    grid = figure.add_gridspec(rows, columns + 1, wspace=0.1, hspace=0.3)
    left = _crop_axes(figure, grid[:, 0], spare)
    show_crop(left, query, query_caption, BLUE)
    left.set_title("query")
    drawn = [left]
    for number, (crop, caption) in enumerate(zip(neighbours, captions, strict=True)):
        axis = _crop_axes(figure, grid[number // columns, 1 + number % columns], spare)
        drawn.append(axis)
        if relevant is None:
            show_crop(axis, crop, caption, GREY)
        else:
            mark, colour = ("✓", GREEN) if relevant[number] else ("✗", ORANGE)
            show_crop(axis, crop, f"{mark} {caption}", colour)
    return drawn


def draw_candidates(
    figure: FigureBase, crops: Sequence[NDArray[np.uint8]], captions: Sequence[str], columns: int, rows: int
) -> list[Axes]:
    """A contact sheet of candidates, in their order, row by row; clears the figure.

    Args:
        figure: Where to draw.
        crops: ``(h, w, 3)`` each, at most ``columns * rows``.
        captions: Text below each.
        columns: Candidates in a row.
        rows: Rows that there is room for.

    Returns:
        Where each candidate is drawn.

    Raises:
        ValueError: If there are not as many captions as crops.
    """
    spare = clear(figure)
    grid = figure.add_gridspec(rows, columns, wspace=0.1, hspace=0.42)
    drawn = []
    for number, (crop, caption) in enumerate(zip(crops, captions, strict=True)):
        axis = _crop_axes(figure, grid[number // columns, number % columns], spare)
        show_crop(axis, crop, caption, GREY)
        drawn.append(axis)
    return drawn


def similar_candidates(
    crops: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    wanted: NDArray[np.uint8] | None,
    title: str,
    columns: int,
) -> Figure:
    """A sheet of candidates that are like something, that first, if it is a picture.

    Args:
        crops: Pictures of the candidates, each ``(h, w, 3)``, the most similar first.
        captions: What stands below each.
        wanted: What they are like, ``(h, w, 3)``; None where it is no picture.
        title: Above all.
        columns: Candidates a row.

    Returns:
        A figure of its own.
    """
    rows = max(1, -(-len(crops) // columns))
    figure = Figure(figsize=(2.1 * (columns + 1), 2.3 * rows + 0.8))
    if wanted is None:
        draw_candidates(figure, crops, captions, columns, rows)
    else:
        draw_neighbours(figure, wanted, "wanted", crops, captions, columns=columns)
    figure.suptitle(title, fontsize=11)
    return figure


def draw_review(
    figure: FigureBase,
    crops: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    colours: Sequence[str],
    place: int,
    curve: NDArray[np.integer],
) -> list[Axes]:
    """A page of a review, four in a row, above the curve of what was found; clears the figure.

    Args:
        figure: Where to draw.
        crops: ``(h, w, 3)`` each, at most twelve.
        captions: Text below each.
        colours: Of each one's answer as ``#rrggbb``; empty without an answer.
        place: Which of them is asked for: it has a black frame.
        curve: Candidates of interest after each look, ``(looks,)``.

    Returns:
        Where each candidate is drawn.
    """
    spare = clear(figure)
    grid = figure.add_gridspec(4, 4, wspace=0.1, hspace=0.5, height_ratios=(1, 1, 1, 0.55))
    drawn = []
    for number, (crop, caption) in enumerate(zip(crops, captions, strict=True)):
        axis = _crop_axes(figure, grid[number // 4, number % 4], spare)
        show_crop(axis, crop, caption, colours[number] or GREY)
        spines: Any = axis.spines
        for spine in spines.values():
            spine.set(linewidth=5.0 if number == place else 2.5)
        if number == place:
            axis.set_title("▼", fontsize=11, pad=2)
        drawn.append(axis)
    right_of_numbers = grid[3, :].subgridspec(1, 2, width_ratios=(0.05, 1), wspace=0)
    progress = figure.add_subplot(right_of_numbers[1])
    looks = np.arange(len(curve) + 1)
    progress.plot(looks, looks, color=GREY, linestyle=REFERENCE_LINE, label="every look")
    progress.step(looks, np.r_[0, curve], where="post", color=BLUE, label="of interest")
    progress.set_xlim(0, max(REVIEW_PAGE, len(curve)))
    progress.set_ylim(0, max(4, int(curve[-1]) + 1 if len(curve) else 0))
    progress.set_xlabel("looks", fontsize=8)
    progress.tick_params(labelsize=7)
    progress.legend(fontsize=7, loc="upper left", frameon=False)
    return drawn


def clear(figure: FigureBase) -> Iterator[Axes]:
    """Clear a figure.

    Args:
        figure: What is cleared.

    Returns:
        The axes of crops that it showed, for the next ones: making new ones is most of the work of a sheet.
    """
    shown: Any = figure.axes
    spare = [axes for axes in shown if axes.get_gid() == _OF_A_CROP]
    for axes in tuple(shown):
        figure.delaxes(axes)  # clear() would clear each first: as much work as making it
    figure.clear()
    return iter(spare)


def show_crop(
    axes: Axes,
    crop: NDArray[np.uint8],
    caption: str,
    colour: str,
    *,
    width: float = 2.5,
    size: float = 9,
    pad: float | None = None,
) -> None:
    """A picture in a frame, with a caption below.

    Args:
        axes: Where to draw.
        crop: ``(h, w, 3)``.
        caption: What stands below it.
        colour: Of the frame.
        width: Of the frame, points.
        size: Of the caption's letters, points.
        pad: Between both, points; matplotlib's own by default.
    """
    axes.imshow(crop)
    axes.set_xlabel(caption, fontsize=size, labelpad=pad)
    axes.set_xticks([])
    axes.set_yticks([])
    spines: Any = axes.spines
    for spine in spines.values():
        spine.set(color=colour, linewidth=width)


def _crop_axes(figure: FigureBase, place: SubplotSpec, spare: Iterator[Axes]) -> Axes:
    axes = next(spare, None)
    if axes is None:
        axes = figure.add_subplot(place)
        axes.set_gid(_OF_A_CROP)
        return axes
    for artist in (*axes.images, *axes.texts):
        artist.remove()
    axes.set_title("")
    axes.set_subplotspec(place)
    figure.add_subplot(axes)
    return axes
