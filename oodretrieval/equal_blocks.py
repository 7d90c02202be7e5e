"""Products of matrices whose last bits do not depend on how many rows there are."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Given = TypeVar("_Given", bound=np.floating)
_Found = TypeVar("_Found", bound=np.generic)


def in_equal_blocks(
    product: Callable[[NDArray[_Given]], NDArray[_Found]], rows: NDArray[_Given], size: int
) -> NDArray[_Found]:
    """Apply a product of matrices to blocks of one size, the last one filled up with zeros.

    BLAS takes other paths for other numbers of rows, and for the last few of them; here it always gets as many.

    Args:
        product: ``(size, D)`` → ``(size, …)``.
        rows: ``(n, D)``.
        size: Rows of a block, >= 1.

    Returns:
        ``(n, …)``.
    """
    parts = []
    for start in range(0, max(len(rows), 1), size):
        some = rows[start : start + size]
        whole = np.zeros((size, rows.shape[1]), rows.dtype)
        whole[: len(some)] = some
        parts.append(product(whole)[: len(some)])
    return np.concatenate(parts)
