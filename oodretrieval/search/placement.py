"""New points placed into a projection that is there: what is near them is where it was."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search.neighbours import NearestNeighbours

NEIGHBOURS = 10
_SMALLEST = 1e-12


def place_points(
    vectors: NDArray[np.floating] | PartedArray,
    points: NDArray[np.floating],
    new: NDArray[np.floating],
    neighbours: int = NEIGHBOURS,
) -> NDArray[np.float32]:
    """Place vectors into a projection of others, by their nearest neighbours among those.

    The projection stays as it is, whatever made it; nothing but its points is needed. A new vector lies at the mean of
    its neighbours' points, weighted by the inverse of their squared distances; one that is there already lies on its
    point.

    Args:
        vectors: What was projected, ``(n, D)``, ``n >= 1``.
        points: Their projection, ``(n, d)``.
        new: Vectors to place, ``(m, D)``, finite.
        neighbours: How many have a say, >= 1; lowered to ``n``.

    Returns:
        ``(m, d)``.

    Raises:
        ValueError: If there is nothing to place by, or the shapes do not fit.

    Source:
        Poličar et al., Embedding to reference t-SNE space addresses batch effects in single-cell classification, 2021,
        which begins so.

    Example:
        >>> old, at = np.array([[0.0], [1.0]]), np.array([[0.0, 0.0], [10.0, 0.0]])
        >>> place_points(old, at, np.array([[1.0], [0.5]])).tolist()
        [[10.0, 0.0], [5.0, 0.0]]
    """
    if len(vectors) != len(points) or not len(points) or new.ndim != 2 or new.shape[1] != vectors.shape[1]:
        raise ValueError(
            f"expected vectors (n, D), points (n, d) and new (m, D), n >= 1, got {vectors.shape}, {points.shape}, "
            f"{new.shape}"
        )
    search = NearestNeighbours(vectors)
    placed = np.empty((len(new), points.shape[1]), np.float32)
    for row, vector in enumerate(new):
        found, distances = search.query(vector, min(neighbours, len(points)))
        weights = 1 / np.maximum(np.asarray(distances, np.float64) ** 2, _SMALLEST)
        placed[row] = weights @ np.asarray(points[found], np.float64) / weights.sum()
    return placed
