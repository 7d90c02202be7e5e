"""Distances of vectors from one, and directions about the mean of all: plain, in float64."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.directions import unit_vectors
from oodretrieval.parted_arrays import row_blocks
from oodretrieval.search import passes

LEAST_LENGTH = 2.0**-512
"""Squares of shorter lengths are lost."""
_AT_CENTRE = 1e-9
"""Nearer than this is at the centre, but for rounding."""


def finite_vectors(vectors: ArrayLike) -> NDArray[np.float64]:
    """Refuse what are no vectors, or not finite.

    Args:
        vectors: ``(n, D)``.

    Returns:
        The same, float64.

    Raises:
        ValueError: Saying what was got.
    """
    points = np.asarray(vectors, np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"vectors must be (n, D) and finite, got shape {points.shape} or NaN or infinity")
    return points


def require_finite(block: NDArray[np.floating]) -> NDArray[np.floating]:
    """Refuse some rows of many vectors that are not finite.

    Args:
        block: ``(k, D)``.

    Returns:
        The same.

    Raises:
        ValueError: If one is not.
    """
    if not np.isfinite(block).all():
        raise ValueError("vectors must be (n, D) and finite, got NaN or infinity; leave such rows out")
    return block


def mean_direction(vectors: passes.Vectors, norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the directions of vectors: what they have in common.

    Args:
        vectors: ``(n, D)``, read once, in blocks.
        norms: Length of each, ``(n,)``; those of length 0 have no direction and count for nothing.

    Returns:
        ``(D,)``, of length 0…1.
    """
    together = np.zeros(vectors.shape[1])
    for rows, block in row_blocks(vectors, passes.BYTES_AT_ONCE):
        shares = np.divide(1.0, norms[rows], out=np.zeros(len(block)), where=norms[rows] > 0)
        together += shares @ np.asarray(block, np.float64)
    return together / max(1, len(vectors))


def centred_directions(vectors: NDArray[np.floating], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions of vectors, less a centre.

    Args:
        vectors: ``(k, D)``.
        centre: ``(D,)``.

    Returns:
        ``(k, D)``; 0 of a zero vector and of what lies within 1e-9 of the centre, which have no direction.
    """
    units = unit_vectors(np.asarray(vectors, np.float64))
    directions = units - centre
    away = np.sqrt((directions**2).sum(axis=1))[:, None]
    return np.where(units.any(axis=1, keepdims=True) & (away > _AT_CENTRE), directions, 0.0)


def euclidean_distances(vectors: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances, measured one by one.

    Args:
        vectors: ``(k, D)``.
        query: ``(D,)``.

    Returns:
        ``(k,)``.
    """
    distances: NDArray[np.float64] = np.sqrt(((vectors - query) ** 2).sum(axis=1))
    return distances


def cosine_distances(vectors: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the squared distance of the unit vectors: exactly 0 for equal directions.

    Args:
        vectors: ``(k, D)``.
        query: ``(D,)``.

    Returns:
        ``(k,)``, 0…2; 1 between a zero vector, which has no direction, and any other.
    """
    units, unit = unit_vectors(vectors), unit_vectors(query)
    distances = ((units - unit) ** 2).sum(axis=1) / 2
    return np.where(units.any(axis=1) == unit.any(), distances, 1.0)
