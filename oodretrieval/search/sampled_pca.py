"""Principal components of vectors that are too many, or too long, to be copied: found on a sample, read in blocks."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from oodretrieval.parted_arrays import BYTES_AT_ONCE, PartedArray
from oodretrieval.search.distances import require_finite

SAMPLE = 4096
"""Vectors that the components are found on."""


def sampled_pca(
    vectors: NDArray[np.floating] | PartedArray, dimensions: int = 2, *, seed: int = 0, sample: int = SAMPLE
) -> NDArray[np.float32]:
    """Project vectors onto the principal components of a sample of them.

    All of them are read once, in blocks of 32 MB: a million of 1280 float32 takes the time to read 5 GB.

    Args:
        vectors: ``(n, D)``, any float type; may be memory-mapped, or lie in several arrays.
        dimensions: How many, >= 1; those that the sample does not span are 0.
        seed: Which vectors are the sample, where there are more.
        sample: Vectors in the sample.

    Returns:
        ``(n, dimensions)``.

    Raises:
        ValueError: If a vector is not finite.

    Example:
        >>> sampled_pca(np.array([[0.0, 0.0], [3.0, 4.0]]), 1).round(2).ravel().tolist()
        [-2.5, 2.5]
    """
    count, size = vectors.shape
    projected = np.zeros((count, dimensions), np.float32)
    if not count or not size:
        return projected
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(count, min(sample, count), replace=False))
    chosen = require_finite(np.asarray(vectors[rows], np.float64))
    spanned = min(dimensions, *chosen.shape)
    if not (chosen != chosen[0]).any():
        mean, axes = chosen[0], np.zeros((spanned, size))
    else:
        model = PCA(spanned, svd_solver="randomized", random_state=seed).fit(chosen)
        mean, axes = model.mean_, model.components_
    step = max(1, BYTES_AT_ONCE // (4 * size))
    turn = axes.T.astype(np.float32)
    for start in range(0, count, step):
        block = require_finite(np.asarray(vectors[start : start + step], np.float32))
        projected[start : start + step, :spanned] = (block - mean.astype(np.float32)) @ turn
    return projected
