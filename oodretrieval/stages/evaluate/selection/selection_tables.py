"""Tables of a selection: its shares, objects by class, and what each order of inspection finds."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oodretrieval.evaluation import ObjectCounts
from oodretrieval.results.tables import interval_columns, interval_rows
from oodretrieval.stages.evaluate.selection.inspection_orders import FIRST, LOOKS

SHARES = {
    "share of the segments selected": "share_selected",
    "share of the mostly unknown ones selected": "unknown_selected",
    "precision: mostly unknown among the selected": "precision",
    "mostly unknown among all segments": "prevalence",
    "share of the unknown objects hit": "share_hit",
    "share of the unknown objects found": "share_found",
}


def selection_table(measures: Mapping[str, Any]) -> pd.DataFrame:
    """Shares of segments and of objects, each with its interval.

    Args:
        measures: What a selection is worth, see :meth:`EvaluatedSelection.measures
            <oodretrieval.stages.evaluate.selection.evaluated_selection.EvaluatedSelection.measures>`; so below.

    Returns:
        The table, one share a row.
    """
    title = f"{measures['selected']} of {measures['segments']} segments selected"
    return interval_rows(measures, SHARES).rename_axis(title)


def object_table(counts: Mapping[str, ObjectCounts]) -> pd.DataFrame:
    """Objects there are, hit and found, by class and together.

    Args:
        counts: Class → its objects.

    Returns:
        The table, one class a row, and ``all``.
    """
    rows: dict[str, tuple[int, ...]] = {
        name: (count.objects, count.hit, count.found) for name, count in counts.items()
    }
    rows["all"] = tuple(sum(column) for column in zip((0, 0, 0), *rows.values(), strict=True))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["objects", "hit", "found"])
    return table.rename_axis("class")


def order_table(measures: Mapping[str, Any]) -> pd.DataFrame:
    """Quality of each order over segments and over objects, as far as there are segments to inspect.

    Args:
        measures: As above.

    Returns:
        The table, one order a row.
    """
    rows = {}
    first = min(FIRST, measures["segments"])
    for name, values in measures["orders"].items():
        row: dict[str, Any] = {}
        if "auroc" in values:
            row = interval_columns(values, {"AUROC": "auroc", "AP": "auprc"})
        row[f"unknown among first {first}"] = f"{values['unknown_among_first']:g}"
        found = values["found"]["all"]
        rows[name] = row | {f"objects after {n}": f"{found[str(n)]:g}" for n in _looks(measures)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order of inspection")


def class_table(measures: Mapping[str, Any]) -> pd.DataFrame:
    """Objects of each class found after some numbers of looks, in each order, as far as there are segments.

    Args:
        measures: As above.

    Returns:
        The table, one order and number of looks a row.
    """
    rows = {
        f"{name}, {n} looks": {
            label: f"{found[str(n)]:g}" for label, found in values["found"].items() if label != "all"
        }
        for name, values in measures["orders"].items()
        for n in _looks(measures)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order of inspection")


def _looks(measures: Mapping[str, Any]) -> list[int]:
    """Numbers of looks that there are segments for."""
    return [n for n in LOOKS if n <= measures["segments"]]


def look_notes(segments: int) -> tuple[str, ...]:
    """A sentence on the numbers of looks that are left out; nothing where there is none.

    Args:
        segments: Number of segments that can be inspected.

    Returns:
        A note for the result.

    Example:
        >>> look_notes(120)
        ('There are 120 segments to inspect: what 500 looks find is left out.',)
    """
    beyond = [str(n) for n in LOOKS if n > segments]
    if not beyond:
        return ()
    numbers = " and ".join(filter(None, (", ".join(beyond[:-1]), beyond[-1])))
    return (f"There are {segments} segments to inspect: what {numbers} looks find is left out.",)
