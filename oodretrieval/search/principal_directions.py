"""Few directions that distinguish vectors: principal components, found on a sample of the vectors."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from oodretrieval.directions import unit_vectors
from oodretrieval.parted_arrays import BYTES_AT_ONCE
from oodretrieval.search.distances import require_finite

_SAMPLE = 8192
_LEAST_VARIANCE = 1e-10
"""Of the largest one; the rest is rounding."""
_LEAST_DEVIATION = 1e-6
"""Of the mean; what varies less in float32 is rounding."""


def principal_directions(
    vectors: NDArray[np.floating], dimensions: int, *, seed: int = 0
) -> NDArray[np.float32]:
    """Unit vectors of few dimensions that stand for long ones.

    Each vector is centred, turned onto the principal components, and scaled to length 1. The vectors are read once,
    in blocks, besides a sample of 8192.

    Args:
        vectors: ``(n, D)``, any float type, ``n >= 1``; may be memory-mapped.
        dimensions: Principal components at most, >= 1; components without variance are left out.
        seed: Which vectors the components are found on, where there are more than the sample.

    Returns:
        ``(n, d)``, ``d <= dimensions``; rows have length 1, or 0 where the vector is the mean.

    Raises:
        ValueError: If a vector is not finite.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(len(vectors), min(_SAMPLE, len(vectors)), replace=False))
    sample = np.asarray(vectors[chosen], np.float64)
    require_finite(sample)
    mean = sample.mean(axis=0)
    centred = sample - mean
    # changes no angle, and keeps squares in range
    unit = float(np.abs(centred).max(initial=0.0)) or 1.0
    least = (_LEAST_DEVIATION * float(np.abs(mean).max(initial=0.0)) / unit) ** 2
    turn = _principal_axes(centred / unit, dimensions, least).astype(np.float32)
    directions = np.empty((len(vectors), turn.shape[1]), np.float32)
    precision = np.float64 if vectors.dtype.itemsize > 4 else np.float32
    for rows in _blocks(*vectors.shape):
        block: NDArray[np.floating] = np.array(vectors[rows], precision)
        require_finite(block)
        block -= mean.astype(precision)
        block /= unit
        directions[rows] = unit_vectors(block.astype(np.float32, copy=False) @ turn)
    return directions


def _principal_axes(centred: NDArray[np.float64], dimensions: int, least: float) -> NDArray[np.float64]:
    """Axes ``(D, d)`` by falling variance, of variances above ``least`` only."""
    size = centred.shape[1]
    first = max(0, size - dimensions)
    variances, axes = eigh(centred.T @ centred / len(centred), subset_by_index=(first, size - 1))
    kept = np.flatnonzero(variances > max(least, _LEAST_VARIANCE * variances[-1]))[::-1]
    return np.asarray(axes[:, kept], np.float64)


def _blocks(number: int, size: int) -> Iterator[slice]:
    rows = max(1, BYTES_AT_ONCE // (8 * max(1, size)))
    for start in range(0, number, rows):
        yield slice(start, start + rows)
