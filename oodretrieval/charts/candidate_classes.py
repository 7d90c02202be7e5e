"""Candidate classes as rows of crops: what is most typical of each, and what hardly belongs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.crop_sheets import show_crop
from oodretrieval.charts.palette import AMBER, BLUE

_CELL, _TEXT, _GAP, _HEAD, _LINE = 1.35, 2.6, 0.25, 0.5, 0.162
"""Inches: side of a picture, width of the words left of a row, gap before the outlying members, height of the head, and
of a line of words."""


@dataclass(frozen=True, eq=False)
class ClassRow:
    """One candidate class on a sheet.

    Attributes:
        words: What stands left of it, line by line.
        central: Pictures of its most central members, ``(h, w, 3)`` each.
        outlying: Pictures of its most outlying ones.
        central_captions: What stands below each; empty for nothing.
        outlying_captions: The same of the outlying ones.
    """

    words: Sequence[str]
    central: Sequence[NDArray[np.uint8]]
    outlying: Sequence[NDArray[np.uint8]]
    central_captions: Sequence[str] = ()
    outlying_captions: Sequence[str] = ()


def classes_figure(rows: Sequence[ClassRow], title: str, central: int, outlying: int) -> Figure:
    """Candidate classes, one in a row: words, the most central members (blue), the most outlying ones (amber).

    Args:
        rows: The classes, in order.
        title: Above them, before what the colours mean.
        central: Places for central members in a row; more go on in the next line.
        outlying: Places for outlying ones.

    Returns:
        The figure.
    """
    lines = [max(_lines(row.central, central), _lines(row.outlying, outlying)) for row in rows]
    captioned = any(row.central_captions or row.outlying_captions for row in rows)
    step = _CELL + (0.42 if captioned else 0.08)
    width = _TEXT + _GAP + (central + outlying) * (_CELL + 0.06) + 0.1
    heights = [
        max(count * step, len(row.words) * _LINE) + 0.1 for row, count in zip(rows, lines, strict=True)
    ]
    height = _HEAD + sum(heights)
    figure = Figure(figsize=(width, height))
    top = height - _HEAD
    for row, taken in zip(rows, heights, strict=True):
        figure.text(0.1 / width, (top - 0.04) / height, "\n".join(row.words), va="top", fontsize=9.5)
        left = _TEXT
        for pictures, captions, places, colour in (
            (row.central, row.central_captions, central, BLUE),
            (row.outlying, row.outlying_captions, outlying, AMBER),
        ):
            for number, picture in enumerate(pictures):
                x = left + (number % places) * (_CELL + 0.06)
                y = top - (number // places) * step - _CELL
                axes = figure.add_axes((x / width, y / height, _CELL / width, _CELL / height))
                caption = captions[number] if captions else ""
                show_crop(axes, picture, caption, colour, width=1.6, size=7.5, pad=2)
                axes.set_anchor("N")
            left += places * (_CELL + 0.06) + _GAP
        top -= taken
    heading = f"{title}: {_colours(rows)}"
    figure.text(0.1 / width, 1 - 0.12 / height, heading, va="top", fontsize=11.5)
    return figure


def _colours(rows: Sequence[ClassRow]) -> str:
    """What the frames of the pictures mean."""
    if any(row.outlying for row in rows):
        return "most central members (blue), most outlying ones (amber)"
    return "all members, the most central ones first"


def _lines(pictures: Sequence[NDArray[np.uint8]], places: int) -> int:
    return max(1, -(-len(pictures) // max(1, places)))
