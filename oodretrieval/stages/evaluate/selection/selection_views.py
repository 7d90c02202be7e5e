"""Tables and charts of a selection: objects by class, what was selected, objects found against looks."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import count_chart, highlighted_bars, line_chart
from oodretrieval.evaluation import ObjectCounts
from oodretrieval.results.rules import interval_words


def draw_objects(path: Path, counts: Mapping[str, ObjectCounts], dataset: str) -> Path:
    """Objects there are, hit and found, by class; returns ``path``."""
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(counts)), layout="constrained")
    rows = {name: (count.objects, count.hit, count.found) for name, count in counts.items()}
    count_chart(figure.subplots(), rows, ("objects", "hit", "found"), value_name="unknown objects")
    figure.suptitle(f"Unknown objects of {dataset} that the selection leads to", fontsize=11)
    figure.savefig(path, dpi=120)
    return path


def draw_majorities(path: Path, counts: Mapping[str, int], unknown: Collection[str], dataset: str) -> Path:
    """What most pixels of each selected segment are, the unknown classes in colour; returns ``path``."""
    figure = Figure(figsize=(8, 1.6 + 0.32 * len(counts)), layout="constrained")
    highlighted_bars(
        figure.subplots(),
        counts,
        unknown,
        value_name="selected segments",
        legend=("unknown to the network", "known, or void"),
    )
    figure.suptitle(
        f"What the selected segments of {dataset} are, by the majority of their pixels", fontsize=11
    )
    figure.savefig(path, dpi=120)
    return path


def draw_looks(path: Path, curves: Mapping[str, NDArray[np.float64]], objects: int, dataset: str) -> Path:
    """Objects found against segments looked at, in every order.

    Args:
        path: The picture.
        curves: Order → objects found after each number of looks, from 0.
        objects: How many there are.
        dataset: For the title.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(8.5, 5.4), layout="constrained")
    axes = figure.subplots()
    lines = {name: (np.arange(len(found), dtype=np.float64), found) for name, found in curves.items()}
    line_chart(axes, lines, ("segments looked at", "unknown objects found"), steps=True)
    axes.axhline(objects, color="black", linewidth=0.8, linestyle=(0, (1, 3)))
    axes.text(0, objects, f" all {objects} objects", va="bottom", fontsize=9)
    axes.set_xlim(0, max(len(found) for found in curves.values()) - 1)
    axes.set_ylim(0, max(objects, 1) * 1.08)
    axes.legend(fontsize=9, loc="lower right")
    figure.suptitle(f"{dataset}: how soon each order of looking finds the unknown objects", fontsize=11)
    figure.savefig(path, dpi=120)
    return path


def selection_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Shares of segments and of objects, each with its interval."""
    texts = {
        "share_selected": "share of the segments selected",
        "unknown_selected": "share of the mostly unknown ones selected",
        "precision": "precision: mostly unknown among the selected",
        "prevalence": "mostly unknown among all segments",
        "share_hit": "share of the unknown objects hit",
        "share_found": "share of the unknown objects found",
    }
    rows = {text: (figures[key], interval_words(figures["intervals"][key])) for key, text in texts.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "interval"])
    table.index.name = f"{figures['selected']} of {figures['segments']} segments selected"
    return table


def object_table(counts: Mapping[str, ObjectCounts]) -> pd.DataFrame:
    """Objects there are, hit and found, by class and together."""
    rows: dict[str, tuple[int, ...]] = {
        name: (count.objects, count.hit, count.found) for name, count in counts.items()
    }
    rows["all"] = tuple(sum(column) for column in zip((0, 0, 0), *rows.values(), strict=True))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["objects", "hit", "found"])
    table.index.name = "class"
    return table
