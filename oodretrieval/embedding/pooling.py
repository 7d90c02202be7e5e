"""Features of a network, averaged over the pixels of each segment."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from oodretrieval.places import cells_of_pixels

INSIDE_SHARE, INSIDE_PIXELS = 0.3, 20
"""A segment with at least this share, and this number, of its pixels inside is pooled over these alone."""


def pool_by_segment(features: NDArray[np.floating], components: NDArray[np.integer]) -> NDArray[np.float32]:
    """Mean feature vector of every segment; each pixel takes the vector of the cell that it lies in.

    Pixels on a segment's boundary see both sides of it: they count only where few others are left.

    Args:
        features: ``(D, h, w)``, of the whole image at any stride.
        components: Segment ids ``(H, W)``, 1…n; 0 belongs to none.

    Returns:
        ``(n, D)``, row i of segment i + 1.

    Raises:
        ValueError: If an array has another number of axes or is empty.

    Example:
        >>> pool_by_segment(np.array([[[1.0, 3.0]]]), np.array([[1, 1, 2, 2]])).tolist()
        [[1.0], [3.0]]
    """
    if features.ndim != 3 or components.ndim != 2 or not features.size or not components.size:
        raise ValueError(
            f"expected features (D, h, w) and components (H, W), got {features.shape} and {components.shape}"
        )
    cells = cells_of_pixels(components.shape, features.shape[1:]).ravel()
    ids, inside = components.ravel(), inside_pixels(components).ravel()
    number = int(ids.max())
    count, count_inside = (np.bincount(kept, minlength=number + 1) for kept in (ids, ids[inside]))
    roomy = (count_inside >= INSIDE_SHARE * count) & (count_inside >= INSIDE_PIXELS)
    chosen = (ids > 0) & (inside | ~roomy[ids])
    shape = (number + 1, features.shape[1] * features.shape[2])
    weights = coo_array((np.ones(int(chosen.sum())), (ids[chosen], cells[chosen])), shape).tocsr()
    sums = weights @ features.reshape(len(features), -1).T.astype(np.float64)
    pixels = np.maximum(np.asarray(weights.sum(axis=1)), 1)
    pooled: NDArray[np.float32] = (sums / pixels[:, None])[1:].astype(np.float32)
    return pooled


def inside_pixels(components: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels whose eight neighbours inside the image are of the same segment.

    Args:
        components: Segment of every pixel, ``(H, W)``.

    Returns:
        ``(H, W)``.

    Example:
        >>> inside_pixels(np.array([[1, 1, 1, 2]])).tolist()
        [[True, True, False, False]]
    """
    height, width = components.shape
    padded = np.pad(components, 1, mode="edge")
    inside = np.ones(components.shape, np.bool_)
    for y in range(3):
        for x in range(3):
            inside &= padded[y : y + height, x : x + width] == components
    return inside
