"""Charts of a selection: objects by class, what was selected, objects found over segments inspected."""

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import count_chart, highlighted_bars, line_chart
from oodretrieval.charts.palette import BLACK, REFERENCE_LINE
from oodretrieval.evaluation import ObjectCounts


def object_figure(counts: Mapping[str, ObjectCounts], dataset: str) -> Figure:
    """Objects there are, hit and found, by class.

    Args:
        counts: Class → its objects.
        dataset: Name of the dataset, for the title.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(counts)), layout="constrained")
    rows = {name: (count.objects, count.hit, count.found) for name, count in counts.items()}
    count_chart(figure.subplots(), rows, ("objects", "hit", "found"), value_name="unknown objects")
    figure.suptitle(f"Unknown objects of {dataset} that the selection leads to", fontsize=11)
    return figure


def majority_figure(counts: Mapping[str, int], unknown: Collection[str], dataset: str) -> Figure:
    """What most pixels of each selected segment are, the unknown classes in colour.

    Args:
        counts: Class → number of selected segments.
        unknown: Names of the classes that are unknown to the network.
        dataset: Name of the dataset, for the title.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(8, 1.6 + 0.32 * len(counts)), layout="constrained")
    legend = "unknown to the network", "known, or void"
    highlighted_bars(figure.subplots(), counts, unknown, value_name="selected segments", legend=legend)
    title = f"What the selected segments of {dataset} are, by the majority of their pixels"
    figure.suptitle(title, fontsize=11)
    return figure


def found_figure(curves: Mapping[str, NDArray[np.float64]], objects: int, dataset: str) -> Figure:
    """Objects found over segments inspected, in every order.

    Args:
        curves: Order → objects found after each number of looks, from 0, ``(segments + 1,)``.
        objects: Number of objects there are.
        dataset: Name of the dataset, for the title.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(8.5, 5.4), layout="constrained")
    axes = figure.subplots()
    lines = {name: (np.arange(len(found), dtype=np.float64), found) for name, found in curves.items()}
    line_chart(axes, lines, ("segments inspected", "unknown objects found"), steps=True)
    axes.axhline(objects, color=BLACK, linewidth=0.8, linestyle=REFERENCE_LINE)
    axes.text(0, objects, f" all {objects} objects", va="bottom", fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0, max(len(found) for found in curves.values()) - 1)
    axes.set_ylim(0, max(objects, 1) * 1.08)
    axes.legend(fontsize=9, loc="lower right")
    figure.suptitle(f"{dataset}: how soon each order of inspection finds the unknown objects", fontsize=11)
    return figure
