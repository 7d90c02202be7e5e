"""Charts of measures: readable, labelled, for every common colour vision."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from oodretrieval.charts.palette import BLUE, GREY, GRID, LINES, ORANGE

Points = tuple[NDArray[np.floating], NDArray[np.floating]]


def bar_chart(
    axes: Axes,
    values: Mapping[str, float],
    counts: Mapping[str, int],
    reference: Mapping[str, float],
    *,
    value_name: str,
    reference_name: str,
    lines: Sequence[tuple[str, float]] = (),
) -> None:
    """Horizontal bars, largest on top, with a reference mark in each row.

    Args:
        axes: Where to draw.
        values: Name → value in 0…1.
        counts: Name → number of items, written after the name.
        reference: Name → what chance would give.
        value_name: What the bars are, for the axis.
        reference_name: What the marks are, for the legend.
        lines: (name, value) of vertical lines, e.g. means.
    """
    names = sorted(values, key=lambda name: values[name])
    rows = range(len(names))
    axes.barh(rows, [values[name] for name in names], color=BLUE, height=0.7)
    axes.plot(
        [reference[name] for name in names],
        rows,
        linestyle="",
        marker="|",
        markersize=14,
        markeredgewidth=2.5,
        color=ORANGE,
        label=reference_name,
    )
    for row, name in enumerate(names):
        # on white, as a line of a mean may pass behind it
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(values[name] + 0.01, row, f"{values[name]:.2f}", va="center", fontsize=9, bbox=paper)
    styles = ("--", ":", "-.")
    for number, (name, value) in enumerate(lines):
        axes.axvline(
            value, color="black", linestyle=styles[number % 3], linewidth=1, label=f"{name} {value:.2f}"
        )
    axes.set_yticks(list(rows), [f"{name} ({counts[name]})" for name in names])
    axes.set_xlim(0, 1.05)
    axes.set_xlabel(value_name)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1 + len(lines), fontsize=9, frameon=False
    )
    axes.spines[["top", "right"]].set_visible(False)


def count_chart(
    axes: Axes, rows: Mapping[str, Sequence[int]], names: Sequence[str], *, value_name: str
) -> None:
    """Horizontal bars of counts, one group a row, each bar with its number.

    Args:
        axes: Where to draw.
        rows: Name of the row → counts, one for each of ``names``.
        names: What is counted, for the legend.
        value_name: For the axis.
    """
    colours = (GREY, ORANGE, BLUE, "black")
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [row + (number - (len(names) - 1) / 2) * height for row in range(len(rows))]
        bars = axes.barh(
            places, [counts[number] for counts in rows.values()], height, color=colours[number], label=name
        )
        axes.bar_label(bars, fontsize=8, padding=2)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel(value_name)
    _finish(axes)


def curve_chart(
    axes: Axes,
    curves: Mapping[str, Points],
    names: tuple[str, str],
    *,
    legend: str,
    place: Literal["best", "lower right", "upper right"] = "best",
) -> None:
    """Several curves in the unit square.

    Args:
        axes: Where to draw.
        curves: Name → x and y.
        names: Of the x and of the y axis.
        legend: Title of the legend.
        place: Where the legend stands.
    """
    line_chart(axes, curves, names)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    axes.legend(title=legend, fontsize=9, loc=place)


def highlighted_bars(
    axes: Axes,
    counts: Mapping[str, int],
    highlighted: Collection[str],
    *,
    value_name: str,
    legend: tuple[str, str],
) -> None:
    """Horizontal bars of counts, most on top, some of them in another colour, each with its number and share.

    Args:
        axes: Where to draw.
        counts: Name → count.
        highlighted: Names whose bars stand out.
        value_name: For the axis.
        legend: What the highlighted bars are, and the others.
    """
    names = sorted(counts, key=lambda name: counts[name])
    total = max(sum(counts.values()), 1)
    for colour, shown, label in ((ORANGE, True, legend[0]), (GREY, False, legend[1])):
        rows = [row for row, name in enumerate(names) if (name in highlighted) == shown]
        axes.barh(rows, [counts[names[row]] for row in rows], 0.7, color=colour, label=label)
    for row, name in enumerate(names):
        axes.text(
            counts[name],
            row,
            f" {counts[name]} ({100 * counts[name] / total:.0f} %)",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(names)), names)
    axes.margins(x=0.12)
    axes.set_xlabel(value_name)
    _finish(axes, "lower right")


def line_chart(
    axes: Axes, lines: Mapping[str, Points], names: tuple[str, str], *, steps: bool = False
) -> None:
    """Several curves with a legend.

    Args:
        axes: Where to draw.
        lines: Name → x and y.
        names: Of the x and of the y axis.
        steps: Whether y stays between two x.
    """
    for number, (name, (x, y)) in enumerate(lines.items()):
        colour, stroke = LINES[number % len(LINES)]
        style = "steps-post" if steps else "default"
        axes.plot(x, y, color=colour, linestyle=stroke, linewidth=1.8, label=name, drawstyle=style)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.grid(color=GRID, linewidth=0.6)
    _finish(axes)


def _finish(axes: Axes, place: Literal["best", "lower right"] = "best") -> None:
    """The legend, and an open frame."""
    axes.legend(loc=place, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
