"""Objects found against looks, and the first candidates that are inspected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import Points, line_chart
from oodretrieval.charts.crop_sheets import show_crop
from oodretrieval.charts.palette import BLACK, BLUE, GREY, ORANGE, REFERENCE_LINE

COLUMNS = 10
"""Candidates in a row of the sheet."""


def discovery_figure(
    shares: Mapping[str, Mapping[str, Points]], oracles: Mapping[str, Mapping[str, float]], title: str
) -> Figure:
    """Curves of discovery, one panel for each kind of success.

    Args:
        shares: touched, found, outlined → way of inspecting → looks an image, share of objects.
        oracles: found, outlined → what is held → share that no order can go beyond; of a
            way of inspecting if its name begins with that.
        title: Of the figure.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(4.6 * len(shares), 4.8), layout="constrained")
    panels = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for axes, (share, curves) in zip(panels, shares.items(), strict=True):
        line_chart(
            axes, curves, ("looks an image", "share of the unknown objects" if axes is panels[0] else "")
        )
        own = {line.get_label(): line.get_color() for line in axes.get_lines()}
        for name, value in oracles.get(share, {}).items():
            colour = next((own[curve] for curve in own if name.startswith(f"{curve} ")), BLACK)
            axes.axhline(value, color=colour, linewidth=1.1, linestyle=REFERENCE_LINE, label=name)
        axes.set_title(share, fontsize=11)
        axes.set_ylim(0, 1.05)
        axes.set_xlim(left=0)
        axes.get_legend().remove()
    named = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


@dataclass(frozen=True, eq=False)
class Look:
    """A candidate on the sheet.

    Attributes:
        picture: Its crop with the outline, ``(h, w, 3)``.
        caption: What stands below it.
        success: 2 where it is the first to find an object, 1 where it touches one, else 0.
    """

    picture: NDArray[np.uint8]
    caption: str
    success: int


def looks_figure(looks: Sequence[Look], title: str) -> Figure:
    """The first candidates in their order, their outlines drawn, framed by what they lead to.

    Args:
        looks: In order.
        title: Of the figure.

    Returns:
        The figure.
    """
    rows = -(-len(looks) // COLUMNS)
    figure = Figure(figsize=(1.5 * COLUMNS, 1.85 * rows + 1.4))
    grid = figure.add_gridspec(
        rows,
        COLUMNS,
        left=0.01,
        right=0.99,
        bottom=0.02,
        top=1 - 0.75 / (1.85 * rows + 1.4),
        wspace=0.08,
        hspace=0.3,
    )
    for place, look in enumerate(looks):
        axes = figure.add_subplot(grid[place // COLUMNS, place % COLUMNS])
        colour, width = ((GREY, 0.8), (ORANGE, 2.2), (BLUE, 2.6))[look.success]
        show_crop(axes, look.picture, look.caption, colour, width=width, size=7.5, pad=2)
    figure.suptitle(title, fontsize=11)
    return figure
