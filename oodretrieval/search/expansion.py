"""Vectors moved towards their nearest neighbours: what looks alike in many examples comes closer together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.directions import unit_vectors
from oodretrieval.search.distances import centred_directions, finite_vectors, mean_direction

NEIGHBOURS = 10
"""Neighbours that a vector is moved towards (docs/retrieval.md)."""
BYTES_AT_ONCE = 64 * 2**20
"""Of cosines, or of neighbours, in memory."""


def expanded_directions(vectors: ArrayLike, neighbours: int = NEIGHBOURS) -> NDArray[np.float64]:
    """Directions about the mean of all, each with those of its nearest neighbours added.

    A neighbour weighs as much as the cosine between both, one at a right angle and beyond nothing. It compares every
    vector with every other, so that time grows with the square of their number.

    Args:
        vectors: ``(n, D)``, finite.
        neighbours: How many of each, >= 1; with fewer others all of them.

    Returns:
        ``(n, D)``, rows of length 1, or 0 where a vector has no direction; to be compared by cosine.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or ``neighbours < 1``.

    Source:
        Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012
        (database-side feature augmentation).

    Example:
        >>> rows = expanded_directions([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]], 1)
        >>> [round(float(rows[0] @ row), 2) for row in rows]
        [1.0, 1.0, -1.0]
    """
    points = finite_vectors(vectors)
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, got {neighbours}")
    units = unit_vectors(centred_directions(points, mean_direction(points, np.linalg.norm(points, axis=1))))
    number = min(neighbours, len(units) - 1)
    if number < 1:
        return units
    moved = units.copy()
    at_once = max(1, BYTES_AT_ONCE // (8 * max(len(units), number * units.shape[1])))
    for start in range(0, len(units), at_once):
        rows = np.arange(start, min(start + at_once, len(units)))
        cosines = units[rows] @ units.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-cosines, number - 1, axis=1)[:, :number]
        weights = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 0.0)
        moved[rows] += np.einsum("rk,rkd->rd", weights, units[nearest])
    return unit_vectors(moved)
