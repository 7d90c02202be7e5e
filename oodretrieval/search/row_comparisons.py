"""What two values of a filter can be asked: arrays of numbers or texts, groups of rows, single values, lists."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of rows that may overlap, such as tags, of which a row has several.

    Attributes:
        rows: Name of a group → which rows are in it, ``(n,)`` bool.
        number: Of rows, ``n``.
    """

    rows: Mapping[str, NDArray[np.bool_]]
    number: int

    def any_of(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Rows that are in at least one group.

        Args:
            names: Of the groups; one that does not exist has no rows.

        Returns:
            ``(n,)`` bool.
        """
        found = np.zeros(self.number, np.bool_)
        for name in names:
            if name in self.rows:
                found |= self.rows[name]
        return found


Column = NDArray[Any] | Groups
"""One value a row, ``(n,)`` numbers, truth values or texts; or groups of rows."""


class Mismatch(Exception):
    """Two values that cannot be asked what was asked; the message says what can."""


def compared(one: Any, sign: str, other: Any) -> NDArray[np.bool_]:
    """Compare two values.

    Args:
        one: A column or a single value.
        sign: ``== != < <= > >=``.
        other: A column or a single value.

    Returns:
        ``(n,)`` bool, or a single one of two single values; groups are equal to a text where they contain it.

    Raises:
        Mismatch: If they cannot be compared so.
    """
    if isinstance(one, list) or isinstance(other, list):
        raise Mismatch("a list is compared by in")
    groups, name = (one, other) if isinstance(one, Groups) else (other, one)
    if isinstance(groups, Groups):
        if sign not in ("==", "!="):
            raise Mismatch("tags are compared by ==, !=, in and contains")
        found = contained(name, groups)
        return found if sign == "==" else np.logical_not(found)
    if _is_text(one) != _is_text(other):
        text, number = (one, other) if _is_text(one) else (other, one)
        raise Mismatch(f"{_called(text)} cannot be compared with {_called(number)}")
    if _is_text(one) and sign not in ("==", "!="):
        raise Mismatch("texts are compared by ==, !=, in and contains")
    found = np.asarray(_SIGNS[sign](one, other), np.bool_)
    if sign == "!=":  # a missing number is no other number
        found = found & ~(_missing(one) | _missing(other))
    return found


def contained(part: Any, whole: Any) -> NDArray[np.bool_]:
    """Whether one value is among others, or part of a text, in which capitals do not count.

    Args:
        part: A column or a single value.
        whole: A list, groups, or a column of texts.

    Returns:
        ``(n,)`` bool.

    Raises:
        Mismatch: If nothing can be in ``whole``.
    """
    if isinstance(whole, list):
        if isinstance(part, Groups):
            return part.any_of([name for name in whole if isinstance(name, str)])
        found = [compared(part, "==", each) for each in whole]
        return np.logical_or.reduce(found) if found else np.zeros(np.shape(part), np.bool_)
    if isinstance(whole, Groups):
        if not isinstance(part, str):
            raise Mismatch("tags contain texts, written in quotes")
        return whole.any_of([part])
    if isinstance(whole, np.ndarray) and _is_text(whole):
        if not isinstance(part, str):
            raise Mismatch("texts contain texts, written in quotes")
        texts = pd.Series(whole, dtype=object).str
        within: NDArray[np.bool_] = texts.contains(part, case=False, regex=False).to_numpy(
            np.bool_, na_value=False
        )
        return within
    raise Mismatch('expected a list, such as ("car", "bin"), or a column of texts')


def truth(value: Any) -> NDArray[np.bool_]:
    """A value as a condition of its own.

    Args:
        value: A column of truth values, groups (in any of which a row is), or a single truth value.

    Returns:
        ``(n,)`` bool, or a single one.

    Raises:
        Mismatch: If it is none of these.
    """
    if isinstance(value, Groups):
        return value.any_of(value.rows)
    if isinstance(value, bool) or (isinstance(value, np.ndarray) and value.dtype == np.bool_):
        return np.asarray(value)
    raise Mismatch("expected a comparison, such as class == 2")


def negative(value: Any) -> Any:
    """The negative of a number or of a column of numbers ``(n,)``.

    Args:
        value: Numbers.

    Returns:
        As many.

    Raises:
        Mismatch: If it is no number.
    """
    return -_number(value)


def _calculating(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def calculate(one: Any, other: Any) -> Any:
        return operator(_number(one), _number(other))

    return calculate


ARITHMETIC = {sign: _calculating(of) for sign, of in (("+", add), ("-", sub), ("*", mul), ("/", truediv))}
"""Sign → function of two numbers or columns of numbers; a :class:`Mismatch` for others."""
_SIGNS = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def _number(value: Any) -> Any:
    if isinstance(value, list | Groups) or _is_text(value):
        raise Mismatch("expected numbers to calculate with")
    return value.astype(np.float64) if isinstance(value, np.ndarray) else float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype.kind in "OUT")


def _called(value: Any) -> str:
    kind = "text" if _is_text(value) else "number"
    return f"a column of {kind}s" if isinstance(value, np.ndarray) else f"the {kind} {value!r}"


def _missing(value: Any) -> NDArray[np.bool_]:
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return np.isnan(value) if floats else np.asarray(False)
