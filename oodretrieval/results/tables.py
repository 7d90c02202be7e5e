"""Tables for people: measures with their intervals, and how a cell is written."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

NO_VALUE = "–"


def interval_words(ends: tuple[float, float]) -> str:
    """Both ends of an interval; a dash where it is undefined.

    Args:
        ends: Lower and upper end; NaN where undefined.

    Returns:
        The text of a cell.

    Example:
        >>> interval_words((float("nan"), float("nan")))
        '–'
    """
    low, high = ends
    return NO_VALUE if isnan(low) else f"{low:.3f}…{high:.3f}"


def interval_columns(
    values: Mapping[str, Any], columns: Mapping[str, str], named: str = ", interval"
) -> dict[str, Any]:
    """A row of a table: each measure followed by its interval.

    Args:
        values: Key → value, and ``intervals``: key → lower and upper end.
        columns: Title of the column → key; keys that ``values`` lacks are passed over.
        named: What follows the title in that of the interval.

    Returns:
        Title → cell.

    Example:
        >>> interval_columns({"f1": 0.5, "intervals": {"f1": (0.25, 0.75)}}, {"F1": "f1"})
        {'F1': 0.5, 'F1, interval': '0.250…0.750'}
    """
    row: dict[str, Any] = {}
    for title, key in columns.items():
        if key in values:
            row |= {title: values[key], f"{title}{named}": interval_words(values["intervals"][key])}
    return row


def interval_rows(values: Mapping[str, Any], rows: Mapping[str, str], value: str = "value") -> pd.DataFrame:
    """A table of one measure a row, with its interval.

    Args:
        values: Key → value, and ``intervals``: key → lower and upper end.
        rows: Title of the row → key; keys that ``values`` lacks are passed over.
        value: Title of the column of values.

    Returns:
        The table, indexed by title.

    Example:
        >>> interval_rows({"f1": 0.5, "intervals": {"f1": (0.25, 0.75)}}, {"F1": "f1"})
            value     interval
        F1    0.5  0.250…0.750
    """
    cells = {
        title: (values[key], interval_words(values["intervals"][key]))
        for title, key in rows.items()
        if key in values
    }
    return pd.DataFrame.from_dict(cells, orient="index", columns=[value, "interval"])


def class_rows(values: Mapping[str, Any], columns: Mapping[str, str]) -> pd.DataFrame:
    """A table of one class a row: each measure followed by its interval.

    Args:
        values: Key → class → value, and ``intervals``: key → class → lower and upper end.
        columns: Title of the column → key, all of the same classes.

    Returns:
        The table, indexed by class.

    Example:
        >>> class_rows({"iou": {"road": 0.5}, "intervals": {"iou": {"road": (0.25, 0.75)}}}, {"IoU": "iou"})
               IoU IoU, interval
        class
        road   0.5   0.250…0.750
    """
    cells: dict[str, dict[str, Any]] = {}
    for title, key in columns.items():
        cells[title] = values[key]
        ends = values["intervals"][key]
        cells[f"{title}, interval"] = {name: interval_words(pair) for name, pair in ends.items()}
    return pd.DataFrame(cells).rename_axis("class")


def markdown_table(table: pd.DataFrame) -> str:
    """A table as Markdown, index first; fractions with three digits, smaller ones with one, missing values as a dash.

    Args:
        table: With text or numbers.

    Returns:
        Lines of Markdown.

    Example:
        >>> print(markdown_table(pd.DataFrame({"IoU": [0.51239]}, index=pd.Index(["road"], name="class"))))
        | class | IoU |
        | --- | --- |
        | road | 0.512 |
    """
    head, *body = table_texts(table)
    return markdown_lines(head, body)


def markdown_lines(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a table of Markdown.

    Args:
        head: Names of the columns.
        rows: Cells of each.

    Returns:
        Lines of Markdown.
    """
    return "\n".join([markdown_head(*head), *(markdown_row(*row) for row in rows)])


def markdown_head(*names: object) -> str:
    """The head of a table whose rows follow one by one.

    Args:
        *names: Of the columns.

    Returns:
        Two lines of Markdown.

    Example:
        >>> print(markdown_head("class", "IoU"))
        | class | IoU |
        | --- | --- |
    """
    return f"{markdown_row(*names)}\n{markdown_row(*['---'] * len(names))}"


def markdown_row(*cells: object) -> str:
    """A row of a table.

    Args:
        *cells: Texts, or what is one as it is.

    Returns:
        A line of Markdown.

    Example:
        >>> markdown_row("road", 0.5)
        '| road | 0.5 |'
    """
    return f"| {' | '.join(map(str, cells))} |"


def table_texts(table: pd.DataFrame) -> list[list[str]]:
    """A table as texts, cell by cell.

    Args:
        table: With text or numbers.

    Returns:
        Names of the columns, then one row each; the index comes first.
    """
    rows = zip(table.index, table.itertuples(index=False, name=None), strict=True)
    head = [str(table.index.name or ""), *map(str, table.columns)]
    return [head, *([cell_text(name), *map(cell_text, row)] for name, row in rows)]


def cell_text(value: Any) -> str:
    """One cell: fractions with three digits, smaller ones with one, missing values as a dash.

    Args:
        value: Text, number or None.

    Returns:
        The text.
    """
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return NO_VALUE
    if not isinstance(value, float | np.floating):
        return str(value)
    size = abs(float(value))
    if size < 1e-6:  # rounding, of either sign
        return "0.000"
    return f"{value:.3f}" if size >= 5e-4 else f"{value:.1g}"
