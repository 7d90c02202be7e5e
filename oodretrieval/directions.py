"""Vectors of length 1."""

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
