"""Sums over every row of many vectors, as fast as they are read from memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from oodretrieval.compilation import compiled_in_any_order

Kernel = Callable[[NDArray[Any], NDArray[np.floating], NDArray[np.float64]], Any]
"""Rows ``(n, D)``, a query ``(D,)`` → what is written into ``(n,)``."""
AT_ONCE = 64
"""Terms that are added in float32 before float64 takes their sum: enough for vector code, few for rounding."""


def _number(stored: Any) -> Any:
    """A number as float64; uint16 is the upper half of a float32. Known to compiled code alone."""

    def widened(stored: Any) -> Any:
        return np.float64(np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32))

    def read(stored: Any) -> Any:
        return np.float64(stored)

    return widened if stored == types.uint16 else read


def _float32(stored: Any) -> Any:
    """The same number as float32. Known to compiled code alone."""

    def widened(stored: Any) -> Any:
        return np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32)

    def read(stored: Any) -> Any:
        return stored

    return widened if stored == types.uint16 else read


for known in (_number, _float32):
    overload(known, jit_options={"forceinline": True})(known)


@compiled_in_any_order
def products_into(rows: NDArray[Any], query: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """Scalar product of each row with the query.

    Args:
        rows: ``(n, D)``, float32 or float64; or uint16, which is bfloat16.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            total += _number(rows[row, i]) * query[i]
        into[row] = total


@compiled_in_any_order
def rough_products_into(rows: NDArray[Any], query: NDArray[np.float32], into: NDArray[np.float64]) -> None:
    """Scalar product of each row with the query, :data:`AT_ONCE` terms at a time in float32.

    Args:
        rows: ``(n, D)``, float32; or uint16, which is bfloat16.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    whole = rows.shape[1] // AT_ONCE
    for row in range(rows.shape[0]):
        total = 0.0
        for part in range(whole):
            few = np.float32(0)
            for i in range(part * AT_ONCE, part * AT_ONCE + AT_ONCE):
                few += _float32(rows[row, i]) * query[i]
            total += np.float64(few)
        for i in range(whole * AT_ONCE, rows.shape[1]):
            total += _number(rows[row, i]) * np.float64(query[i])
        into[row] = total


@compiled_in_any_order
def squared_distances_into(rows: NDArray[Any], query: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """Squared Euclidean distance of each row from the query; from zeros, its squared length.

    Args:
        rows: ``(n, D)``, float32 or float64; or uint16, which is bfloat16.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            away = _number(rows[row, i]) - query[i]
            total += away * away
        into[row] = total
