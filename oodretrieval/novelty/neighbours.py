"""Distance to the nearest known training segment of the same predicted class."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oodretrieval.directions import leading_axes
from oodretrieval.equal_blocks import in_equal_blocks
from oodretrieval.errors import TableError

BANK_PER_CLASS = 400
"""Training segments that are kept of each class."""

LEAST_COMPARED = 20
"""Segments with a distance that a fit needs: of fewer, not one lies above the 0.95 quantile (docs/novelty.md)."""

_NEAR_IMAGES = 2
_LEAST_IMAGES = _NEAR_IMAGES + 2
_ROWS_AT_ONCE = 2048
_TOGETHER = 192
"""Queries that one product of matrices is of; see
:func:`~oodretrieval.equal_blocks.in_equal_blocks`."""
_SEARCHED = 64
"""Leading principal components that say which vector is the nearest of any class; the distance is one in all."""
SMALLEST = 1e-6
"""What deviations and squares of lengths count as, at least."""


@dataclass(frozen=True)
class FeatureBank:
    """Feature vectors of known training segments.

    Attributes:
        mean: ``(D,)``, of all training segments.
        std: ``(D,)``, > 0.
        vectors: Standardised vectors of those kept, ``(m, D)`` float16.
        classes: Their predicted classes, ``(m,)``.

    Source:
        Sun et al., "Out-of-distribution detection with deep nearest neighbors", arXiv:2204.06507.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    vectors: NDArray[np.float16]
    classes: NDArray[np.int64]

    @classmethod
    def of(
        cls, features: NDArray[np.floating], classes: NDArray[np.integer], kept: NDArray[np.intp]
    ) -> "FeatureBank":
        """Standardise features and keep some of them.

        Args:
            features: Of segments, ``(n, D)``.
            classes: Their predicted classes, ``(n,)``.
            kept: Rows to keep, ``(m,)``; all rows give mean and deviation.

        Returns:
            The bank of ``m`` vectors.
        """
        mean = features.mean(axis=0).astype(np.float32)
        std = np.maximum(features.std(axis=0), SMALLEST).astype(np.float32)
        vectors = ((features[kept] - mean) / std).astype(np.float16)
        return cls(mean, std, vectors, classes[kept].astype(np.int64))

    @property
    def digest(self) -> str:
        """Hash of what is known: a novelty model that is fitted again may keep the same features."""
        return digest_of(self.mean, self.std, self.vectors)

    def log_distance(
        self,
        features: NDArray[np.floating],
        classes: NDArray[np.integer],
        forbidden: tuple[NDArray[np.integer], NDArray[np.integer], int] | None = None,
    ) -> NDArray[np.float64]:
        """``ln`` of the Euclidean distance to the nearest vector of the own class.

        Args:
            features: ``(n, D)``; a row that is not finite has no distance (NaN).
            classes: Predicted classes, ``(n,)``; one without vectors is compared with all.
            forbidden: Places of the segments ``(n,)``, of the vectors ``(m,)``, and a radius: vectors within it
                are left out, so that training segments do not find themselves or the next frame of a video. A
                segment of which none is left has no distance.

        Returns:
            ``(n,)``; NaN where there is none.
        """
        result = np.full(len(features), np.nan)
        for c in np.unique(classes):
            own = np.flatnonzero(self.classes == c)
            own = own if len(own) else np.arange(len(self.classes))
            vectors = self.vectors[own].astype(np.float32)
            squares = (vectors**2).sum(axis=1)
            of_class = np.flatnonzero(classes == c)
            for start in range(0, len(of_class), _ROWS_AT_ONCE):
                rows = of_class[start : start + _ROWS_AT_ONCE]
                queries = ((features[rows] - self.mean) / self.std).astype(np.float32)
                distance = (queries**2).sum(axis=1)[:, None] + squares - 2 * _products(queries, vectors)
                if forbidden is not None:
                    places, stored, radius = forbidden
                    near = np.abs(places[rows][:, None] - stored[own][None]) <= radius
                    distance = np.where(near, np.inf, distance)
                nearest = distance.min(axis=1)
                found = np.isfinite(nearest)
                result[rows[found]] = _log_roots(nearest[found])
        return result

    def log_distance_to_any(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """``ln`` of the Euclidean distance to the nearest vector of any class, for many features.

        Which one is the nearest is searched in :data:`_SEARCHED` principal components, with all of the vectors'
        lengths: it takes a third of the time, and now and then finds the second nearest.

        Args:
            features: ``(n, D)``, finite.

        Returns:
            ``(n,)``.
        """
        axes, turned, stored, half_squares = self._searched
        result = np.empty(len(features))
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = np.asarray((features[start : start + _ROWS_AT_ONCE] - self.mean) / self.std, np.float32)
            near = stored[nearest_places(_products(rows, axes), turned, half_squares)]
            result[start : start + len(rows)] = log_lengths(rows - near)
        return result

    @cached_property
    def _searched(self) -> tuple[NDArray[np.float32], ...]:
        """Leading axes ``(k, D)``, the vectors along them ``(m, k)`` and whole, half their squared lengths."""
        stored = self.vectors.astype(np.float32)
        leading = np.ascontiguousarray(leading_axes(stored, _SEARCHED).T)
        return leading, _products(stored, leading), stored, (stored**2).sum(axis=1) / 2


def log_lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """``ln`` of the Euclidean length of vectors.

    Args:
        vectors: ``(n, D)``.

    Returns:
        ``(n,)``.
    """
    return _log_roots((vectors**2).sum(axis=1))


def _log_roots(squares: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(0.5 * np.log(np.maximum(squares, SMALLEST)), np.float64)


def nearest_places(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], half_squares: NDArray[np.float32]
) -> NDArray[np.intp]:
    """The vector of each query with the least ``|v|² / 2 - q v``: the nearest one.

    Args:
        queries: ``(n, D)``, finite.
        vectors: ``(m, D)``.
        half_squares: Half the squared length of each, ``(m,)``; of longer vectors, where these are parts of them.

    Returns:
        Places among the vectors, ``(n,)``.
    """
    # so few at a time that what is compared stays in the processor's cache
    return in_equal_blocks(
        lambda block: (block @ vectors.T - half_squares).argmax(axis=1), queries, _TOGETHER
    )


def digest_of(*arrays: NDArray[np.generic]) -> str:
    """Hash of the values of arrays.

    Args:
        *arrays: In order.

    Returns:
        32 hexadecimal digits.
    """
    content = hashlib.blake2b(digest_size=16)
    for values in arrays:
        content.update(np.ascontiguousarray(values).data)
    return content.hexdigest()


def _products(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scalar products ``(n, m)``, of which none depends in its last bits on how many queries there are."""
    return in_equal_blocks(lambda block: np.asarray(block @ vectors.T, np.float32), queries, _TOGETHER)


def known_bank(
    features: NDArray[np.floating], classes: NDArray[np.integer], images: NDArray[np.integer], seed: int
) -> tuple[FeatureBank, NDArray[np.float64]]:
    """Keep known training segments, and measure how far each of them all is from those of other images.

    Args:
        features: ``(n, D)``, finite, ``n >= 1``.
        classes: Predicted classes, ``(n,)``.
        images: Place of each segment's image in the dataset, ``(n,)``; neighbouring frames of a video do not count
            as other images.
        seed: Which segments are kept of classes that have many.

    Returns:
        The bank, and ``ln`` of the distances ``(n,)``; NaN where no other image has a segment to compare with.
    """
    kept = bank_rows(classes, seed)
    bank = FeatureBank.of(features, classes, kept)
    return bank, bank.log_distance(features, classes, (images, images[kept], _NEAR_IMAGES))


def require_comparable(distance: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Put the median in place of NaN; refuse distances of which too few are known for a scale.

    Args:
        distance: ``(n,)``, NaN where unknown.
        images: Number of images that they are of, for the message.

    Returns:
        ``(n,)``, all finite.

    Raises:
        TableError: If fewer than :data:`LEAST_COMPARED` segments of these images have a distance.
    """
    found = np.isfinite(distance)
    if found.sum() < LEAST_COMPARED:
        raise TableError(
            f"novelty is fitted on the distances between known segments of images that are more than {_NEAR_IMAGES} "
            f"places apart, and needs {LEAST_COMPARED} segments that have one; these {images} images have "
            f"{found.sum()} ({len(found)} known segments); fit on more images, at least {_LEAST_IMAGES}, usually some "
            "dozens"
        )
    return np.where(found, distance, np.median(distance[found]))


def bank_rows(classes: NDArray[np.integer], seed: int) -> NDArray[np.intp]:
    """Sample at most :data:`BANK_PER_CLASS` rows of each class.

    Args:
        classes: ``(n,)``.
        seed: Same seed, same rows.

    Returns:
        Rows, ascending.

    Example:
        >>> bank_rows(np.array([1, 1, 0]), seed=0).tolist()
        [0, 1, 2]
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    chosen = [order[classes[order] == c][:BANK_PER_CLASS] for c in np.unique(classes)]
    return np.sort(np.concatenate(chosen)).astype(np.intp)
