"""Exact nearest neighbours in an embedding space."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.errors import UnknownNameError

METRICS = ("euclidean", "cosine")
BYTES_AT_ONCE = 64 * 2**20
_EPSILON = float(np.finfo(np.float32).eps)
_TINY = float(np.finfo(np.float32).tiny)


class NearestNeighbours:
    """Finds the stored vectors nearest to a query, exactly.

    A first pass in float32 bounds every distance from both sides; those that can be among the nearest are
    then measured in float64. Equal vectors are at equal distances, to the bit.

    Args:
        vectors: Stored vectors, ``(n, D)``, float32 or float64; a memory-mapped array is read in chunks and
            not copied.
        metric: ``"euclidean"``; or ``"cosine"``: 1 minus the cosine of the angle, 0…2, and 1 between a zero
            vector, which has no direction, and any other.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite.
        UnknownNameError: If there is no such metric.

    Example:
        >>> indices, distances = NearestNeighbours([[0.0], [3.0], [1.0]]).query([0.0], 2)
        >>> indices.tolist(), distances.tolist()
        ([0, 2], [0.0, 1.0])
    """

    def __init__(self, vectors: ArrayLike, metric: str = "euclidean") -> None:
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        stored = np.asanyarray(vectors)
        if stored.ndim != 2:
            raise ValueError(f"vectors must be (n, D), got {stored.shape}")
        if stored.dtype not in (np.float32, np.float64):
            stored = stored.astype(np.float64)
        self.vectors: NDArray[np.floating] = stored
        self.metric = metric
        self._norms = np.zeros(len(stored))
        for rows, chunk in self._chunks():
            self._norms[rows] = np.linalg.norm(chunk.astype(np.float64), axis=1)
        if not np.isfinite(self._norms).all():
            raise ValueError("vectors must be finite, got NaN or infinity (or values whose square is)")

    def __len__(self) -> int:
        """Number of stored vectors."""
        return len(self.vectors)

    def query(self, vector: ArrayLike, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The ``k`` stored vectors nearest to a vector; a stored vector finds itself first.

        Args:
            vector: ``(D,)``.
            k: How many, >= 1; with fewer stored vectors all of them come.

        Returns:
            Indices and distances, ``(min(k, n),)`` each, nearest first, equal distances by index.

        Raises:
            ValueError: If ``vector`` is not ``(D,)`` or not finite, or ``k < 1``.
        """
        query = np.asarray(vector, np.float64)
        if query.shape != self.vectors.shape[1:] or not np.isfinite(query @ query):
            raise ValueError(f"vector must be ({self.vectors.shape[1]},) and finite, got {query.shape}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        candidates = self._candidates(query, k)
        distances = self._measure(candidates, query)
        nearest = np.lexsort((candidates, distances))[:k]
        return candidates[nearest], distances[nearest]

    def _chunks(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        rows = max(1, BYTES_AT_ONCE // (8 * max(1, self.vectors.shape[1])))
        for start in range(0, len(self.vectors), rows):
            yield slice(start, start + rows), np.asarray(self.vectors[start : start + rows])

    def _candidates(self, query: NDArray[np.float64], k: int) -> NDArray[np.intp]:
        """Indices of all vectors that can be among the ``k`` nearest."""
        if k >= len(self):
            return np.arange(len(self))
        products = np.empty(len(self))
        short = query.astype(np.float32)
        # beyond float32's range the bound turns infinite below, and everything is a candidate
        with np.errstate(over="ignore", invalid="ignore"):
            for rows, chunk in self._chunks():
                products[rows] = chunk.astype(np.float32, copy=False) @ short
        length = float(np.linalg.norm(query))
        size = self.vectors.shape[1]
        slack = 2 * (size + 8) * (_EPSILON * self._norms * length + _TINY * (1 + self._norms + length))
        if self.metric == "cosine":
            scale = self._norms * length
            safe = np.where(scale > 0, scale, 1.0)
            rough, slack = np.where(scale > 0, -products / safe, 0.0), np.where(scale > 0, slack / safe, 2.0)
        else:
            rough, slack = self._norms**2 - 2 * products, 2 * slack + 1e-12 * (self._norms**2 + length**2)
        if not np.isfinite(rough).all() or not np.isfinite(slack).all():
            return np.arange(len(self))
        reach = np.partition(rough + slack, k - 1)[k - 1]
        return np.flatnonzero(rough - slack <= reach)

    def _measure(self, candidates: NDArray[np.intp], query: NDArray[np.float64]) -> NDArray[np.float64]:
        distances = np.empty(len(candidates))
        rows = max(1, BYTES_AT_ONCE // (8 * max(1, len(query))))
        for start in range(0, len(candidates), rows):
            chosen = candidates[start : start + rows]
            vectors = np.asarray(self.vectors[chosen], np.float64)
            measure = _cosine_distances if self.metric == "cosine" else _euclidean_distances
            distances[start : start + rows] = measure(vectors, query)
        return distances


def _euclidean_distances(vectors: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.sqrt(((vectors - query) ** 2).sum(axis=1))
    return distances


def _cosine_distances(vectors: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the squared distance of the unit vectors: exactly 0 for equal directions."""
    norms, norm = np.sqrt((vectors**2).sum(axis=1)), np.sqrt((query**2).sum())
    units = vectors / np.where(norms > 0, norms, 1.0)[:, None]
    distances = ((units - query / (norm if norm > 0 else 1.0)) ** 2).sum(axis=1) / 2
    return np.where((norms > 0) == (norm > 0), distances, 1.0)
