"""Sums over every row of many vectors, in float64, as fast as they are read from memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from oodretrieval.compilation import compiled_in_any_order

Kernel = Callable[[NDArray[Any], NDArray[np.float64], NDArray[np.float64]], Any]
"""Rows ``(n, D)``, a query ``(D,)`` → what is written into ``(n,)``."""


def _number(stored: Any) -> Any:
    """A number as float64; uint16 is the upper half of a float32. Known to compiled code alone."""

    def widened(stored: Any) -> Any:
        return np.float64(np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32))

    def read(stored: Any) -> Any:
        return np.float64(stored)

    return widened if stored == types.uint16 else read


overload(_number, jit_options={"forceinline": True})(_number)


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
