"""Conditions on the columns of a table, as a person writes them: ``predicted_iou<0.5``, ``class=car``."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import SettingsError, UnknownNameError

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*([\w.]+?)\s*(<=|>=|!=|<|>|==?)\s*(.*?)\s*")


def rows_where(
    table: pd.DataFrame, conditions: Iterable[str], names: Mapping[str, Mapping[int, str]] | None = None
) -> NDArray[np.bool_]:
    """Which rows of a table meet all conditions.

    Args:
        table: ``n`` rows.
        conditions: ``column<value`` each, with ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
        names: Column of ids → id → name: such a column may be compared with a name.

    Returns:
        ``(n,)``; all, where there is no condition.

    Raises:
        SettingsError: If a condition is none, or a text is compared with a column of numbers.
        UnknownNameError: If there is no such column, or no such name.

    Example:
        >>> rows_where(pd.DataFrame({"E": [0.1, 0.7], "class": [3, 4]}), ["E>0.5"]).tolist()
        [False, True]
    """
    found = np.ones(len(table), np.bool_)
    for condition in conditions:
        parts = _CONDITION.fullmatch(condition)
        if parts is None:
            raise SettingsError(f"a condition is column<value, with = != < <= > or >=; got {condition!r}")
        column, sign, text = parts.groups()
        if column not in table.columns:
            raise UnknownNameError("column", column, list(table.columns))
        value = _value(table[column], text, (names or {}).get(column, {}))
        found &= _COMPARISONS[sign.replace("==", "=")](table[column].to_numpy(), value)
    return found


def _value(column: "pd.Series[Any]", text: str, names: Mapping[int, str]) -> str | float:
    if not pd.api.types.is_numeric_dtype(column):
        return text
    try:
        return float(text)
    except ValueError:
        pass
    ids = [number for number, name in names.items() if name == text]
    if ids:
        return ids[0]
    if names:
        raise UnknownNameError(f"value of {column.name}", text, list(names.values()))
    raise SettingsError(f"column {column.name} holds numbers, got {text!r}")
