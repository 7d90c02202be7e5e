"""Directions of vectors: of length 1, and along which many of them are longest."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Floating = TypeVar("_Floating", bound=np.floating)


def unit_vectors(vectors: NDArray[_Floating]) -> NDArray[_Floating]:
    """Vectors scaled to length 1; what has no length has no direction and is 0.

    Args:
        vectors: ``(..., D)``, any float type.

    Returns:
        The same shape and type.

    Example:
        >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, np.inf), vectors.dtype)


def leading_axes(rows: NDArray[_Floating], number: int) -> NDArray[_Floating]:
    """Axes along which vectors are longest: the principal ones, where the vectors are centred.

    Args:
        rows: ``(n, D)``, float32 or float64.
        number: How many, at most ``D``.

    Returns:
        ``(D, number)``, of length 1, the longest first.

    Example:
        >>> np.abs(leading_axes(np.array([[0.0, 2.0], [1.0, 0.0]]), 1)).ravel().tolist()
        [0.0, 1.0]
    """
    _, axes = np.linalg.eigh(rows.T @ rows)
    return np.asarray(axes[:, ::-1][:, :number], rows.dtype)
