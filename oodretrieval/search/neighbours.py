"""Exact nearest neighbours in an embedding space."""

from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import CENTRED, EUCLIDEAN, OF_TWO_VECTORS
from oodretrieval.errors import UnknownNameError
from oodretrieval.parted_arrays import PartedArray, row_blocks
from oodretrieval.search import passes
from oodretrieval.search.distances import (
    LEAST_LENGTH,
    centred_directions,
    cosine_distances,
    euclidean_distances,
    mean_direction,
)
from oodretrieval.search.partial_sort import group_sizes, smallest
from oodretrieval.search.rough_distances import (
    ReadVectors,
    RoughDistances,
    rough_centred_cosine,
    rough_cosine,
    rough_euclidean,
)
from oodretrieval.search.short_vectors import shortened

FEW = 2**18
"""Values that are measured without a first pass: a few thousand vectors, for which nothing need be compiled."""
SAME = 0.98
"""Cosine between vectors of one picture that was cut or saved twice; different things of a kind are below it."""
_SURE = 1e-9
"""Distances about the centre whose bound is wider are measured one by one."""


class Neighbours(NamedTuple):
    """Neighbours of a query, nearest first.

    Attributes:
        rows: ``(k,)``.
        distances: ``(k,)``.
        counts: How many rows the group of each has, itself among them, ``(k,)``.
    """

    rows: NDArray[np.intp]
    distances: NDArray[np.float64]
    counts: NDArray[np.intp]


class NearestNeighbours:
    """Finds the stored vectors nearest to a query, exactly.

    One pass reads every vector once and bounds its distance from both sides; those that can be among the nearest are
    then measured one by one. Equal vectors are at equal distances, to the bit. Queries may be made from several
    threads.

    Args:
        vectors: Stored vectors, ``(n, D)``, float; memory-mapped ones, of one file or several, are read in blocks and
            never copied.
        metric: ``"euclidean"``; or ``"cosine"``: 1 minus the cosine of the angle, 0…2, and 1 between a zero
            vector, which has no direction, and any other; or ``"centred_cosine"``, the same of directions less their
            mean: what all vectors have in common does not count.
        norms: Length of each vector, ``(n,)`` float64, where that is known; else it is computed, once.
        short: Keep a copy in bfloat16, of half the size of float32, that the first pass reads. What it leaves open is
            measured in the vectors themselves: the neighbours are the same, and found faster.

    Attributes:
        centre: Mean direction, ``(D,)``; None where nothing is centred.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or there is not one norm for each; or if ``short``
            vectors are beyond the range of float32.
        UnknownNameError: If there is no such metric.

    Example:
        >>> indices, distances = NearestNeighbours([[0.0], [3.0], [1.0]]).query([0.0], 2)
        >>> indices.tolist(), distances.tolist()
        ([0, 2], [0.0, 1.0])
    """

    def __init__(
        self,
        vectors: ArrayLike | PartedArray,
        metric: str = EUCLIDEAN,
        *,
        norms: NDArray[np.float64] | None = None,
        short: bool = False,
    ) -> None:
        if metric not in OF_TWO_VECTORS:
            raise UnknownNameError("metric", metric, OF_TWO_VECTORS)
        stored = vectors if isinstance(vectors, PartedArray) else np.asanyarray(vectors)
        if stored.ndim != 2:
            raise ValueError(f"vectors must be (n, D), got {stored.shape}")
        if stored.dtype not in (np.float16, np.float32, np.float64):
            stored = stored.astype(np.float64)
        self.vectors: passes.Vectors = stored
        self.metric = metric
        self.norms = _norms(stored) if norms is None else norms
        if self.norms.shape != (len(stored),):
            raise ValueError(f"norms must be ({len(stored)},), got {self.norms.shape}")
        if not np.isfinite(self.norms).all():
            raise ValueError("vectors must be finite, got NaN or infinity (or values whose square is)")
        self._as_they_are = ReadVectors(stored, self.norms, np.zeros(1))
        self._first_read = (
            shortened(stored) if short and stored.size > FEW else replace(self._as_they_are, rough=True)
        )
        self.centre = mean_direction(stored, self.norms) if metric == CENTRED else None

    def __len__(self) -> int:
        """Number of stored vectors."""
        return len(self.vectors)

    def query(
        self, vector: ArrayLike, k: int, *, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The ``k`` stored vectors nearest to a vector; a stored vector finds itself first.

        Args:
            vector: ``(D,)``.
            k: How many, >= 1; with fewer stored vectors all of them come.
            among: Which stored vectors may be found, ``(n,)`` bool; None for all.

        Returns:
            Indices and distances, ``(min(k, n),)`` each, nearest first, equal distances by index.

        Raises:
            ValueError: If ``vector`` is not ``(D,)`` or not finite, ``among`` is not ``(n,)`` bool, or ``k < 1``.
        """
        return self._nearest(self._checked(vector), k, among, None)

    def query_groups(
        self,
        vector: ArrayLike,
        k: int,
        groups: ArrayLike,
        *,
        among: ArrayLike | None = None,
        same: float | None = None,
    ) -> Neighbours:
        """The ``k`` groups of stored vectors nearest to a vector, each by its nearest member.

        Args:
            vector: ``(D,)``.
            k: How many, >= 1.
            groups: Group of each stored vector, ``(n,)`` integers
                (:func:`~oodretrieval.search.near_duplicates`).
            among: Which stored vectors may be found and are counted, ``(n,)`` bool; None for all.
            same: Cosine from which groups are one thing, wherever they lie, that is found once and counted together,
                such as one picture that was saved twice (:data:`SAME`); at least the nearest ``2 k`` groups are
                compared. None to keep groups apart.

        Returns:
            At most ``k``, with how many members each group has.

        Raises:
            ValueError: As of :meth:`query`; or if there is not one group for each vector.
        """
        query = self._checked(vector)
        asked = k if same is None else 2 * k
        while True:
            rows, distances = self._nearest(query, asked, among, groups)
            counts = group_sizes(groups, rows, among)
            first = np.arange(len(rows)) if same is None else self._first_of_same(rows, same)
            if (first == np.arange(len(rows))).sum() >= k or len(rows) < asked:
                kept = np.unique(first)[:k]
                together = np.bincount(first, weights=counts, minlength=len(rows)).astype(np.intp)
                return Neighbours(rows[kept], distances[kept], together[kept])
            asked *= 2

    def _first_of_same(self, rows: NDArray[np.intp], same: float) -> NDArray[np.intp]:
        """Which of some rows, the first, each one equals; itself if none."""
        units = (
            np.asarray(self.vectors[rows], np.float64) / np.maximum(self.norms[rows], LEAST_LENGTH)[:, None]
        )
        alike = np.tril(units @ units.T >= same)
        np.fill_diagonal(alike, True)
        first = np.arange(len(rows))
        for place in range(len(rows)):
            first[place] = first[int(alike[place].argmax())]
        return first

    def distances(self, vector: ArrayLike) -> NDArray[np.float64]:
        """Distance of every stored vector from a vector, by one pass.

        Args:
            vector: ``(D,)``.

        Returns:
            ``(n,)``, good to some 1e-12, Euclidean ones relative to their size; centred ones to 1e-9.

        Raises:
            ValueError: If ``vector`` is not ``(D,)`` or not finite.
        """
        query = self._checked(vector)
        if self.metric == EUCLIDEAN:
            return np.sqrt(passes.squared_distances(self.vectors, query))
        rough, slack = self._rough(query, self._as_they_are)
        if self.centre is not None:  # next to the centre a direction is the difference of all but equal ones
            unsure = np.flatnonzero(slack > _SURE)
            rough[unsure] = self._measure(unsure, query)
        return np.maximum(rough, 0.0)

    def _checked(self, vector: ArrayLike) -> NDArray[np.float64]:
        query = np.ascontiguousarray(vector, np.float64)
        if query.shape != self.vectors.shape[1:] or not np.isfinite(query @ query):
            raise ValueError(f"vector must be ({self.vectors.shape[1]},) and finite, got {query.shape}")
        return query

    def _nearest(
        self, query: NDArray[np.float64], k: int, among: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        if self.vectors.size <= FEW:
            exact = self._measure(np.arange(len(self)), query)
            found = smallest(exact, k, among, groups)
            return found, exact[found]
        rough, slack = self._rough(query, self._first_read)
        first = smallest(rough, k, among, groups)
        if not len(first):
            return first, np.zeros(0)
        # what is taken is at most this far, so that what is certainly farther is not needed
        reach = (rough + slack)[first].max()
        with np.errstate(invalid="ignore"):  # beyond float64's range nothing is certain
            near = ~(rough - slack > reach)
        candidates = np.flatnonzero(near if among is None else near & np.asarray(among))
        exact = self._measure(candidates, query)
        found = smallest(exact, k, groups=None if groups is None else np.asarray(groups)[candidates])
        return candidates[found], exact[found]

    def _rough(self, query: NDArray[np.float64], read: ReadVectors) -> RoughDistances:
        """Distance of every vector, from what stands for them."""
        if self.metric == EUCLIDEAN:
            return rough_euclidean(read, query)
        if self.centre is None:
            return rough_cosine(read, query, self.norms)
        return rough_centred_cosine(read, query, self.norms, self.centre, self._apart)

    @cached_property
    def _apart(self) -> NDArray[np.float64]:
        """How far the direction of each vector lies from the centre, ``(n,)``; 0 of a zero vector."""
        centre = mean_direction(self.vectors, self.norms) if self.centre is None else self.centre
        along = np.divide(
            passes.products(self.vectors, centre), self.norms, out=np.zeros(len(self)), where=self.norms > 0
        )
        squares = np.maximum(1 - 2 * along + centre @ centre, 0.0)
        return np.where(self.norms > 0, np.sqrt(squares), 0.0)

    def _measure(self, rows: NDArray[np.intp], query: NDArray[np.float64]) -> NDArray[np.float64]:
        distances = np.empty(len(rows))
        measure = euclidean_distances if self.metric == EUCLIDEAN else cosine_distances
        if self.centre is not None:
            query = centred_directions(query[None], self.centre)[0]
        at_once = max(1, passes.BYTES_AT_ONCE // (8 * max(1, len(query))))
        for start in range(0, len(rows), at_once):
            chosen = rows[start : start + at_once]
            vectors = np.asarray(self.vectors[chosen], np.float64)
            vectors = vectors if self.centre is None else centred_directions(vectors, self.centre)
            distances[start : start + at_once] = measure(vectors, query)
        return distances


def _norms(vectors: passes.Vectors) -> NDArray[np.float64]:
    if vectors.size > FEW:
        return passes.lengths(vectors)
    norms = np.empty(len(vectors))
    for rows, block in row_blocks(vectors, passes.BYTES_AT_ONCE):
        norms[rows] = np.linalg.norm(block.astype(np.float64), axis=1)
    return norms
