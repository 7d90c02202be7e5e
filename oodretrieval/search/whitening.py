"""Few directions that tell vectors apart: principal components, partly whitened, found on a sample of the vectors."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

_SAMPLE = 8192
_BYTES_AT_ONCE = 32 * 2**20
_LEAST_VARIANCE = 1e-10
"""Of the largest one; the rest is rounding."""
_LEAST_DEVIATION = 1e-6
"""Of the mean; what varies less in float32 is rounding."""


def whitened_directions(
    vectors: NDArray[np.floating], dimensions: int, *, power: float = 0.3, seed: int = 0
) -> NDArray[np.float32]:
    """Unit vectors of few dimensions that stand for long ones.

    Each vector is centred, turned onto the principal components, divided by their standard deviations to
    some power, and scaled to length 1. The vectors are read once, in blocks, beside a sample of 8192.

    Args:
        vectors: ``(n, D)``, any float type, ``n >= 1``; may be memory-mapped.
        dimensions: Principal components at most, >= 1; components without variance are left out.
        power: 0 keeps the variances of the components, 1 makes them all equal.
        seed: Which vectors the components are found on, where there are more than the sample.

    Returns:
        ``(n, d)``, ``d <= dimensions``; rows have length 1, or 0 where the vector is the mean.

    Raises:
        ValueError: If a vector is not finite.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(len(vectors), min(_SAMPLE, len(vectors)), replace=False))
    sample = np.asarray(vectors[chosen], np.float64)
    _require_finite(sample)
    mean = sample.mean(axis=0)
    centred = sample - mean
    # a common factor changes nothing, as rows are scaled to length 1 in the end
    unit = float(np.abs(centred).max(initial=0.0)) or 1.0
    least = (_LEAST_DEVIATION * float(np.abs(mean).max(initial=0.0)) / unit) ** 2
    axes, deviations = _principal_axes(centred / unit, dimensions, least)
    turn = (axes / (deviations / deviations[:1]) ** power).astype(np.float32)
    directions = np.empty((len(vectors), turn.shape[1]), np.float32)
    for rows in _blocks(*vectors.shape):
        block = np.asarray(vectors[rows])
        _require_finite(block)
        turned = ((block - mean) / unit).astype(np.float32) @ turn
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        directions[rows] = turned / np.where(lengths > 0, lengths, 1)
    return directions


def _principal_axes(
    centred: NDArray[np.float64], dimensions: int, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes ``(D, d)`` and the standard deviations along them ``(d,)``, falling; variances above ``least`` only."""
    size = centred.shape[1]
    first = max(0, size - dimensions)
    variances, axes = eigh(centred.T @ centred / len(centred), subset_by_index=(first, size - 1))
    kept = np.flatnonzero(variances > max(least, _LEAST_VARIANCE * variances[-1]))[::-1]
    return axes[:, kept], np.sqrt(variances[kept])


def _blocks(number: int, size: int) -> Iterator[slice]:
    rows = max(1, _BYTES_AT_ONCE // (8 * max(1, size)))
    for start in range(0, number, rows):
        yield slice(start, start + rows)


def _require_finite(vectors: NDArray[np.floating]) -> None:
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite, got NaN or infinity; leave such rows out")
