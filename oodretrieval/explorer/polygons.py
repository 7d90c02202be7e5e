"""Which points lie in a polygon that was drawn around them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def points_inside(points: NDArray[np.floating], polygon: ArrayLike) -> NDArray[np.bool_]:
    """Whether each point lies inside a polygon, by the even-odd rule.

    Only the points at the height of an edge are compared with it, so that a million of them take a second at most.

    Args:
        points: ``(n, 2)``, any unit.
        polygon: Corners ``(m, 2)`` in the same unit; the last is joined to the first.

    Returns:
        ``(n,)`` bool; none for less than three corners. A point on the left or lower edge is inside, one on the right
        or upper edge outside, so that of two polygons that share an edge a point there is in one.

    Raises:
        ValueError: If the shapes are others.

    Example:
        >>> points_inside(np.array([[0.5, 0.5], [2.0, 0.5]]), [[0, 0], [1, 0], [1, 1], [0, 1]]).tolist()
        [True, False]
    """
    corners = np.asarray(polygon, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or corners.shape[1:] != (2,):
        raise ValueError(f"expected points (n, 2) and corners (m, 2), got {points.shape} and {corners.shape}")
    inside = np.zeros(len(points), np.bool_)
    if len(corners) < 3:
        return inside
    near = np.flatnonzero(((points >= corners.min(axis=0)) & (points <= corners.max(axis=0))).all(axis=1))
    rows = near[np.argsort(points[near, 1], kind="stable")]
    x, y = points[rows].astype(np.float64).T
    crossings = np.zeros(len(rows), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, last = np.searchsorted(y, (min(y0, y1), max(y0, y1)), side="left")
        if first < last:
            here = slice(first, last)
            crossings[here] ^= x[here] < x0 + (y[here] - y0) * ((x1 - x0) / (y1 - y0))
    inside[rows] = crossings
    return inside
