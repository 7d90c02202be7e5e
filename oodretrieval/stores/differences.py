"""Maps as differences from pixel to pixel: smooth ones become mostly zeros, which compress better."""

import numpy as np
from numpy.typing import NDArray


def difference(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Differences along both axes, modulo 256; nothing is lost.

    Args:
        values: ``(H, W)``.

    Returns:
        ``(H, W)``, what :func:`accumulate` makes ``values`` of.

    Example:
        >>> difference(np.array([[7, 8], [7, 7]], np.uint8)).tolist()
        [[7, 1], [0, 255]]
    """
    along = values.copy()
    along[:, 1:] -= values[:, :-1]
    result = along.copy()
    result[1:] -= along[:-1]
    return result


def accumulate(differences: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo :func:`difference`.

    Args:
        differences: ``(H, W)``.

    Returns:
        ``(H, W)``.

    Example:
        >>> accumulate(difference(np.array([[0, 255, 3]], np.uint8))).tolist()
        [[0, 255, 3]]
    """
    columns: NDArray[np.uint8] = np.cumsum(differences, axis=0, dtype=np.uint8)
    result: NDArray[np.uint8] = np.cumsum(columns, axis=1, dtype=np.uint8)
    return result
