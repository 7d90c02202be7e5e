"""Features that follow from the columns of any segment table: shape of the segment, its class and surroundings.

They are computed when a meta model asks for them, so tables made long ago can be used.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError

Vector = NDArray[np.float64]
_CLASS = re.compile(r"class(\d+)")
_TINY = 1e-12


class NeededColumns:
    """Columns of a segment table as float64, with an error that says what a missing one was needed for.

    Args:
        table: Segment table, ``n`` rows.
        purpose: Name of the derived feature.
    """

    def __init__(self, table: pd.DataFrame, purpose: str) -> None:
        self._table, self._purpose = table, purpose

    def __getitem__(self, name: str) -> Vector:
        if name not in self._table.columns:
            raise TableError(
                f"the feature {self._purpose} follows from the column {name}, which the segment table lacks; "
                "make it again with compute_metrics"
            )
        return self._table[name].to_numpy(np.float64)

    def per_class(self, kind: str) -> Vector:
        """A metric that every class has a column of.

        Args:
            kind: ``cprob`` or ``ndist``.

        Returns:
            ``(n, C)``, in order of class number.
        """
        matches = (re.fullmatch(rf"{kind}(\d+)", str(name)) for name in self._table.columns)
        count = sum(match is not None for match in matches)
        return np.stack([self[f"{kind}{k}"] for k in range(max(count, 1))], axis=1)


def _own(c: NeededColumns) -> Vector:
    shares, own = c.per_class("cprob"), c["class"].astype(np.intp)
    if len(own) and not 0 <= own.min() <= own.max() < shares.shape[1]:
        raise TableError(f"the column class has {own.max()}, but there are {shares.shape[1]} columns cprob")
    return np.take_along_axis(shares, own[:, None], axis=1)[:, 0]


def _second(c: NeededColumns) -> Vector:
    shares = c.per_class("cprob").copy()
    np.put_along_axis(shares, c["class"].astype(np.intp)[:, None], -1.0, axis=1)
    second: Vector = shares.max(axis=1)
    return second


def _entropy(shares: Vector) -> Vector:
    entropy: Vector = -(shares * np.log(shares + _TINY)).sum(axis=1) / np.log(shares.shape[1])
    return entropy


def _surrounding(c: NeededColumns) -> Vector:
    total: Vector = (c.per_class("cprob") * c.per_class("ndist")).sum(axis=1)
    return total


SHAPE: Mapping[str, Callable[[NeededColumns], Vector]] = {
    "width": lambda c: c["right"] - c["left"],
    "height": lambda c: c["bottom"] - c["top"],
    "aspect": lambda c: np.log((c["right"] - c["left"]) / (c["bottom"] - c["top"])),
    "extent": lambda c: c["S"] / ((c["right"] - c["left"]) * (c["bottom"] - c["top"])),
    "compactness": lambda c: np.sqrt(c["S"]) / np.maximum(c["S_bd"], 1.0),
    "log_S": lambda c: np.log(c["S"]),
    "log_S_in": lambda c: np.log1p(c["S_in"]),
}
"""Of the segment's shape: box in pixels, logarithm of width over height, share of the box that it fills, root of
its size over its boundary, logarithms of sizes."""

CONTEXT: Mapping[str, Callable[[NeededColumns], Vector]] = {
    "own_prob": _own,
    "second_prob": _second,
    "own_margin": lambda c: _own(c) - _second(c),
    "surrounding_prob": _surrounding,
    "cprob_entropy": lambda c: _entropy(c.per_class("cprob")),
    "ndist_max": lambda c: c.per_class("ndist").max(axis=1),
    "ndist_entropy": lambda c: _entropy(c.per_class("ndist")),
}
"""Of its class and surroundings: mean softmax of its own class, of the likeliest other one, their difference,
of the classes around it (weighted by their share of the boundary); how mixed both distributions are, 0…1."""

_DERIVED = {**SHAPE, **CONTEXT}


def is_derived(name: str) -> bool:
    """Whether the feature ``name`` can be derived: of :data:`SHAPE`, :data:`CONTEXT`, or ``class0``, ….

    Example:
        >>> is_derived("extent"), is_derived("class12"), is_derived("S")
        (True, True, False)
    """
    return name in _DERIVED or _CLASS.fullmatch(name) is not None


def derive(table: pd.DataFrame, name: str) -> Vector:
    """One derived feature of every segment.

    Args:
        table: Segment table, ``n`` rows.
        name: For which :func:`is_derived` holds; ``class3`` is 1 for segments predicted as class 3, else 0.

    Returns:
        ``(n,)``.

    Raises:
        TableError: If a column that it follows from is missing.

    Example:
        >>> box = pd.DataFrame({"left": [0], "right": [4], "top": [0], "bottom": [2], "S": [6]})
        >>> derive(box, "extent").tolist()
        [0.75]
    """
    columns = NeededColumns(table, name)
    match = _CLASS.fullmatch(name)
    if match:
        is_class: Vector = (columns["class"] == int(match[1])).astype(np.float64)
        return is_class
    return _DERIVED[name](columns)
