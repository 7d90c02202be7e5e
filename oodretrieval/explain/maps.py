"""What is shown of fixations: without outliers, and as a heat map."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

NEAR = 0.02
"""How far points are from each other to be near, in diagonals of the image."""
FEW = 0.05
"""How much an outlier has near it, itself included, at most: a share of what the point in the densest place has."""
WIDTH = 0.015
"""Standard deviation of the heat map's bell around each point, in diagonals of the image."""


def drop_outliers(
    points: NDArray[np.int64], size: tuple[int, int], near: float = NEAR, few: float = FEW
) -> NDArray[np.int64]:
    """Leave out fixations that lie by themselves.

    The paper counts a share of all points, which for a large segment is never reached by any place of it: all of the
    road's points would be outliers. Of a small object, all points of which lie near the densest place, it is the same.

    Args:
        points: Rows and columns, ``(k, 2)``.
        size: Height and width of the image.
        near: Radius, in diagonals of the image.
        few: Points that an outlier has within it, at most, as a share of those of the densest place, 0…1.

    Returns:
        The others, in the same order.

    Source:
        Mopuri, Garg, Babu, "CNN Fixations", arXiv:1708.06670.

    Example:
        >>> drop_outliers(np.array([[10, 10], [11, 10], [10, 12], [80, 90]]), (100, 100), few=0.4).tolist()
        [[10, 10], [11, 10], [10, 12]]
    """
    if not len(points):
        return points
    tree = KDTree(points)
    neighbours = tree.query_ball_point(points, near * np.hypot(*size), return_length=True)
    kept: NDArray[np.int64] = points[neighbours > few * neighbours.max()]
    return kept


def heat_map(points: NDArray[np.int64], size: tuple[int, int], width: float = WIDTH) -> NDArray[np.float32]:
    """Where fixations lie close together: a Gaussian bell around each, added up.

    Args:
        points: Rows and columns, ``(k, 2)``.
        size: Height and width of the image.
        width: Standard deviation of a bell, in diagonals of the image.

    Returns:
        ``(H, W)``, 0…1 with 1 where they are closest; 0 everywhere without points.
    """
    counts = np.zeros(size, np.float32)
    np.add.at(counts, (points[:, 0], points[:, 1]), 1)
    heat = gaussian_filter(counts, width * float(np.hypot(*size)), mode="constant")
    highest = heat.max(initial=0)
    found: NDArray[np.float32] = heat / highest if highest > 0 else heat
    return found
