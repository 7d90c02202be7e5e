"""Sums over every row of many vectors, in float64, as fast as they are read from memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled_in_any_order, inlined

Kernel = Callable[[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]], Any]
"""Rows ``(n, D)``, a query ``(D,)`` → what is written into ``(n,)``."""


@compiled_in_any_order
def products(rows: NDArray[np.floating], query: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """Scalar product of each row with the query.

    Args:
        rows: ``(n, D)``, float32 or float64.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            total += np.float64(rows[row, i]) * query[i]
        into[row] = total


@compiled_in_any_order
def squared_distances(
    rows: NDArray[np.floating], query: NDArray[np.float64], into: NDArray[np.float64]
) -> None:
    """Squared Euclidean distance of each row from the query; from zeros, its squared length.

    Args:
        rows: ``(n, D)``, float32 or float64.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            away = np.float64(rows[row, i]) - query[i]
            total += away * away
        into[row] = total


@inlined
def _widened(short: np.uint16) -> np.float64:
    """The number whose upper half, as float32, this is."""
    return np.float64(np.uint32(np.uint32(short) << np.uint32(16)).view(np.float32))


@compiled_in_any_order
def short_products(rows: NDArray[np.uint16], query: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """:func:`products` of rows in bfloat16.

    Args:
        rows: ``(n, D)``, upper halves of float32.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            total += _widened(rows[row, i]) * query[i]
        into[row] = total


@compiled_in_any_order
def short_squared_distances(
    rows: NDArray[np.uint16], query: NDArray[np.float64], into: NDArray[np.float64]
) -> None:
    """:func:`squared_distances` of rows in bfloat16.

    Args:
        rows: ``(n, D)``, upper halves of float32.
        query: ``(D,)``.
        into: ``(n,)``, written.
    """
    for row in range(rows.shape[0]):
        total = 0.0
        for i in range(rows.shape[1]):
            away = _widened(rows[row, i]) - query[i]
            total += away * away
        into[row] = total
