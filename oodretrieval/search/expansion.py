"""Vectors moved towards their nearest neighbours: what looks alike in many examples comes closer together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from oodretrieval.choices import CENTRED, COSINE, EXPANDED
from oodretrieval.directions import unit_vectors
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search.distances import centred_directions, finite_vectors, mean_direction
from oodretrieval.search.neighbours import NearestNeighbours

NEIGHBOURS, VECTORS_EACH = 10, 15
"""Neighbours that a vector is moved towards (docs/retrieval.md), and vectors for each of these, at least."""
BYTES_AT_ONCE = 64 * 2**20
"""Of cosines in memory."""
_STORED = 1e-9
"""A query at this distance from a stored vector is that vector."""


def usual_neighbours(count: int) -> int:
    """How many neighbours vectors are moved towards.

    Args:
        count: Number of vectors.

    Returns:
        :data:`NEIGHBOURS`, or fewer, so that few vectors do not all become alike; of fewer than
        :data:`VECTORS_EACH` none.

    Example:
        >>> usual_neighbours(300), usual_neighbours(50), usual_neighbours(8)
        (10, 3, 0)
    """
    return min(NEIGHBOURS, count // VECTORS_EACH)


def expanded_directions(vectors: ArrayLike, neighbours: int | None = None) -> NDArray[np.float64]:
    """Directions about the mean of all, each with those of its nearest neighbours added.

    A neighbour weighs as much as the cosine between both, one at a right angle and beyond nothing. It compares every
    vector with every other, so that time grows with the square of their number.

    Args:
        vectors: ``(n, D)``, finite.
        neighbours: How many of each, >= 0; with fewer others all of them; None for :func:`usual_neighbours`.

    Returns:
        ``(n, D)``, rows of length 1, or 0 where a vector has no direction; to be compared by cosine. Cosines are added
        in float32.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or ``neighbours < 0``.

    Source:
        Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012
        (database-side feature augmentation).

    Example:
        >>> rows = expanded_directions([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]], 1)
        >>> [round(float(rows[0] @ row), 2) for row in rows]
        [1.0, 1.0, -1.0]
    """
    points = finite_vectors(vectors)
    if neighbours is None:
        neighbours = usual_neighbours(len(points))
    if neighbours < 0:
        raise ValueError(f"neighbours must be at least 0, got {neighbours}")
    units = unit_vectors(centred_directions(points, mean_direction(points, np.linalg.norm(points, axis=1))))
    count = len(units)
    number = min(neighbours, count - 1)
    if number < 1:
        return units
    rough = units.astype(np.float32)
    at_once = max(1, BYTES_AT_ONCE // (4 * count))
    nearest, weights = np.empty((count, number), np.intp), np.empty((count, number))
    for start in range(0, count, at_once):
        rows = np.arange(start, min(start + at_once, count))
        cosines = rough[rows] @ rough.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        nearest[rows] = np.argpartition(cosines, count - number, axis=1)[:, count - number :]
        weights[rows] = np.maximum(np.take_along_axis(cosines, nearest[rows], axis=1), 0.0)
    ends = np.arange(0, nearest.size + 1, number)
    added = csr_array((weights.ravel(), nearest.ravel(), ends), shape=(count, count))
    return unit_vectors(units + added @ units)


class ExpandedNeighbours(NearestNeighbours):
    """As :class:`~oodretrieval.search.NearestNeighbours`, but both query and stored vectors are moved first.

    Each is moved towards the stored ones nearest to it (:func:`expanded_directions`), a query that is stored as that
    is; distances are 1 minus the cosine between what they become.

    Args:
        vectors: Stored vectors, ``(n, D)``, finite; each is compared with every other, and a second copy is kept.
        norms: Length of each vector, where that is known.
        neighbours: How many each is moved towards, >= 0; None for :func:`usual_neighbours`.

    Raises:
        ValueError: As of both.

    Example:
        >>> index = ExpandedNeighbours([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]])
        >>> index.query([1.0, 0.1], 2)[0].tolist()
        [0, 1]
    """

    def __init__(
        self,
        vectors: ArrayLike | PartedArray,
        *,
        norms: NDArray[np.float64] | None = None,
        neighbours: int | None = None,
    ) -> None:
        super().__init__(vectors, CENTRED, norms=norms)
        self.metric = EXPANDED
        self._number = usual_neighbours(len(self)) if neighbours is None else neighbours
        moved = expanded_directions(np.asarray(self.vectors), self._number)
        self._moved = NearestNeighbours(moved.astype(np.float32), COSINE)

    def distances(self, vector: ArrayLike) -> NDArray[np.float64]:
        """Distance of every stored vector from a vector.

        Args:
            vector: ``(D,)``.

        Returns:
            ``(n,)``, as of :class:`~oodretrieval.search.NearestNeighbours`.

        Raises:
            ValueError: If ``vector`` is not ``(D,)`` or not finite.
        """
        return self._moved.distances(self._expanded(self._checked(vector)))

    def _nearest(
        self, query: NDArray[np.float64], k: int, among: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        return self._moved._nearest(self._expanded(query), k, among, groups)

    def _expanded(self, query: NDArray[np.float64]) -> NDArray[np.float64]:
        """What becomes of a query."""
        rows, distances = super()._nearest(query, max(1, self._number), None, None)
        if len(rows) and distances[0] <= _STORED:
            stored: NDArray[np.float64] = np.asarray(self._moved.vectors[rows[:1]], np.float64)[0]
            return stored
        assert self.centre is not None
        rows, distances = rows[: self._number], distances[: self._number]
        near = unit_vectors(centred_directions(np.asarray(self.vectors[rows], np.float64), self.centre))
        own = unit_vectors(centred_directions(query[None], self.centre))[0]
        moved: NDArray[np.float64] = unit_vectors(own + np.maximum(1 - distances, 0.0) @ near)
        return moved
