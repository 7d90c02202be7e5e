"""A small language that says which rows of a table are meant: ``class == 2 and predicted_iou < 0.4``.

Columns, numbers and texts; ``== != < <= > >=``, ``in``, ``not in``, ``contains``; ``and``, ``or``, ``not``; ``+ - * /``
of numbers. It is read by :mod:`ast` and never run as Python.
"""

import ast
import io
import keyword
import tokenize
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import FilterError, UnknownNameError
from oodretrieval.search.row_comparisons import (
    ARITHMETIC,
    Column,
    Mismatch,
    compared,
    contained,
    negative,
    truth,
)

LONGEST = 2000
"""Letters of a filter, at most."""
_WORDS = {"and", "or", "not", "in", "True", "False"}
"""Of Python's keywords, those of this language."""
_CONTAINS = "is" + " " * 6
"""Stands for ``contains`` while :mod:`ast` reads: an operator of the same length and precedence."""
_COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_KNOWN = (ast.BoolOp, ast.UnaryOp, ast.Compare, ast.BinOp, ast.Name, ast.Constant, ast.List, ast.Tuple)
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass(frozen=True, eq=False)
class RowFilter:
    """A filter that was read; :func:`parse_filter` makes one.

    Attributes:
        text: As it was written.
        names: Columns that it needs.
    """

    text: str
    names: frozenset[str]
    _tree: ast.expr
    _written: "_Written"

    def rows(self, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
        """Which rows are meant.

        Args:
            columns: Name → value of every row, ``(n,)`` numbers, truth values or texts, or groups of rows.

        Returns:
            ``(n,)`` bool; what compares a missing number is False.

        Raises:
            FilterError: If something is compared that cannot be, such as a text with a number.
        """
        with np.errstate(all="ignore"):
            found = _Evaluation(self._written, columns).truth_of(self._tree)
        if not isinstance(found, np.ndarray) or not found.shape:
            raise FilterError("expected a filter that names a column", self.text, 0, len(self.text))
        return found


def parse_filter(text: str, columns: Collection[str]) -> RowFilter:
    """Read a filter.

    Args:
        text: Such as ``predicted in ("car", "truck") and not (image contains "0016")``.
        columns: Names that exist.

    Returns:
        The filter.

    Raises:
        FilterError: If it cannot be read, or names an unknown column; says where.

    Example:
        >>> values = {"class": np.array([2, 5, 2]), "name": np.array(["bin", "car", "cabin"])}
        >>> parse_filter('class == 2 and name contains "cab"', values).rows(values).tolist()
        [False, False, True]
    """
    line = " ".join(text.splitlines()).rstrip()
    if not line.strip():
        raise FilterError("the filter is empty; write one, such as class == 2", "", 0, 1)
    if len(line) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST} letters", line[:60] + "…", 60, 61)
    written = _Written(line, {})
    readable = _readable(line, written.keywords)
    start = len(readable) - len(readable.lstrip())
    try:
        tree = ast.parse(readable.lstrip(), mode="eval").body
    except SyntaxError as error:
        _refuse(written, error, start)
    except (RecursionError, MemoryError, ValueError) as error:
        raise FilterError(f"the filter cannot be read ({error}); write a simpler one", line, 0, 1) from error
    written.indent = start
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and not isinstance(node, _KNOWN):
            raise written.refusal("expected a column, a number or a text in quotes", node)
    names = frozenset(written.name(node, columns) for node in ast.walk(tree) if isinstance(node, ast.Name))
    return RowFilter(line, names, tree, written)


@dataclass(eq=False)
class _Written:
    """The line as it was written, and where which words of it stand for something else while it is read."""

    line: str
    keywords: dict[int, str]
    indent: int = 0

    def place(self, node: ast.expr) -> tuple[int, int]:
        """First letter of a node, and the one behind its last; :mod:`ast` counts bytes."""
        coded = self.line[self.indent :].encode()
        start, end = (
            len(coded[:count].decode(errors="ignore"))
            for count in (node.col_offset, node.end_col_offset or 0)
        )
        return self.indent + start, self.indent + end

    def name(self, node: ast.Name, columns: Collection[str]) -> str:
        start, _ = self.place(node)
        name = self.keywords.get(start, node.id)
        if name not in columns:
            problem = str(UnknownNameError("column", name, columns))
            raise self.refusal(f'{problem}. A text is written in quotes: "{name}"', node)
        return name

    def refusal(self, problem: str, node: ast.expr) -> FilterError:
        return FilterError(problem, self.line, *self.place(node))


class _Evaluation:
    """Values of the parts of a filter."""

    def __init__(self, written: _Written, columns: Mapping[str, Column]) -> None:
        self._written, self._columns = written, columns

    def truth_of(self, node: ast.expr) -> NDArray[np.bool_]:
        match node:
            case ast.BoolOp():
                parts = [self.truth_of(value) for value in node.values]
                both = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
                found = parts[0]
                for part in parts[1:]:
                    found = both(found, part)
                return found
            case ast.UnaryOp(op=ast.Not()):
                return np.logical_not(self.truth_of(node.operand))
            case ast.Compare():
                return self._comparison(node)
        try:
            return truth(self._value(node))
        except Mismatch as error:
            raise self._written.refusal(str(error), node) from error

    def _comparison(self, node: ast.Compare) -> NDArray[np.bool_]:
        sides = [node.left, *node.comparators]
        found = np.asarray(True)
        for left, operator, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
            try:
                found = np.logical_and(found, self._compared(left, operator, right))
            except (Mismatch, OverflowError) as error:
                raise self._written.refusal(str(error), right) from error
        return found

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> NDArray[np.bool_]:
        one, other = self._value(left), self._value(right)
        match operator:
            case ast.Is():
                return contained(other, one)
            case ast.In():
                return contained(one, other)
            case ast.NotIn():
                return np.logical_not(contained(one, other))
            case _ if type(operator) in _COMPARISONS:
                return compared(one, _COMPARISONS[type(operator)], other)
        raise Mismatch("compare with == != < <= > >= in, not in, contains")

    def _value(self, node: ast.expr) -> Column | str | float | list[str | float]:
        match node:
            case ast.Name():
                return self._columns[self._written.name(node, self._columns.keys())]
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return value
            case ast.List() | ast.Tuple():
                return [self._constant(element) for element in node.elts]
            case ast.UnaryOp(op=ast.USub()):
                return self._calculated(node, lambda: negative(self._value(node.operand)))
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                function = ARITHMETIC[_ARITHMETIC[type(node.op)]]
                return self._calculated(
                    node, lambda: function(self._value(node.left), self._value(node.right))
                )
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return self.truth_of(node)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self._written.refusal("write and, or, not instead of & | ~", node)
        raise self._written.refusal("expected a column, a number or a text in quotes", node)

    def _calculated(self, node: ast.expr, calculate: Callable[[], Column | float]) -> Column | float:
        try:
            return calculate()
        except (Mismatch, OverflowError, ZeroDivisionError) as error:
            raise self._written.refusal(str(error), node) from error

    def _constant(self, node: ast.expr) -> str | float:
        value = self._value(node)
        if isinstance(value, str | int | float):
            return value
        raise self._written.refusal("expected numbers and texts in the list", node)


def _readable(line: str, keywords: dict[int, str]) -> str:
    """The line with every keyword that may be a column, and ``contains``, spelt so that :mod:`ast` reads it."""
    letters = list(line)
    tokens: list[tokenize.TokenInfo] = []
    with suppress(tokenize.TokenError, SyntaxError):  # which `ast` refuses, too, and says where
        tokens.extend(tokenize.generate_tokens(io.StringIO(line.lstrip()).readline))
    indent = len(line) - len(line.lstrip())
    for token in tokens:
        word, start = token.string, token.start[1] + indent
        if token.type != tokenize.NAME:
            continue
        if word == "contains":
            letters[start : start + len(word)] = _CONTAINS
        elif word.lower() in _WORDS:
            letters[start : start + len(word)] = word.lower()
        elif keyword.iskeyword(word) and word not in _WORDS:
            letters[start : start + len(word)] = "_" * len(word)
            keywords[start] = word
    return "".join(letters)


def _refuse(written: _Written, error: SyntaxError, indent: int) -> NoReturn:
    start = indent + max((error.offset or 1) - 1, 0)
    end = indent + max((error.end_offset or 0) - 1, 0)
    start = min(start, len(written.line))
    single = [
        place
        for place in range(len(written.line))
        if written.line[place] == "="
        and written.line[place - 1 : place] not in ("=", "!", "<", ">")
        and written.line[place + 1 : place + 2] != "="
    ]
    if single:
        raise FilterError("write == to compare", written.line, single[0], single[0] + 1) from error
    if error.offset == 0 and "\0" not in written.line:  # where it ends
        end = len(written.line.rstrip())
        raise FilterError("something is missing at the end", written.line, end, end + 1) from error
    raise FilterError(f"the filter cannot be read here ({error.msg})", written.line, start, end) from error
