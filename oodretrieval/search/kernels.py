"""Sums over every row of many vectors, in float64, as fast as they are read from memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled_in_any_order

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
