"""Groups where vectors lie densely, and noise between them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.neighbors import NearestNeighbors


def dense_groups(
    points: NDArray[np.float64], weights: NDArray[np.float64], method: str, options: Mapping[str, Any]
) -> NDArray[np.int64]:
    """Group different points by density.

    Args:
        points: ``(m, D)``, ``m >= 1``, no two alike.
        weights: How many vectors each one stands for, ``(m,)``.
        method: ``"dbscan"`` or ``"hdbscan"``.
        options: See :func:`~oodretrieval.search.cluster`, all of them.

    Returns:
        Group of each, ``(m,)``; -1 is noise.
    """
    if method == "dbscan":
        least = max(1, int(options["min_samples"]))
        eps = float(options["eps"]) or knee_distance(points, least)
        model = DBSCAN(eps=eps or 1.0, min_samples=least).fit(points, sample_weight=weights)
        return np.asarray(model.labels_, np.int64)
    smallest = max(2, int(options["min_cluster_size"]))
    if len(points) < smallest:
        return np.full(len(points), -1, np.int64)
    near = min(int(options["min_samples"]) or smallest, len(points))
    found = HDBSCAN(min_cluster_size=smallest, min_samples=near, copy=True).fit(points)
    return np.asarray(found.labels_, np.int64)


def knee_distance(points: NDArray[np.float64], neighbour: int) -> float:
    """How far apart points of one group are: where the sorted distances to a near neighbour bend most.

    Args:
        points: ``(m, D)``, ``m >= 1``.
        neighbour: Which neighbour, 1 for the nearest; lowered where there are fewer.

    Returns:
        A distance; 0 where there is one point.

    Source:
        Ester et al., A density-based algorithm for discovering clusters, 1996, section 4.2; the bend: Satopää et al.,
        Finding a "kneedle" in a haystack, 2011.

    Example:
        >>> knee_distance(np.array([[0.0], [1.0], [2.0], [3.0], [9.0]]), 1)
        1.0
    """
    neighbour = min(neighbour, len(points) - 1)
    if neighbour < 1:
        return 0.0
    distances, _ = NearestNeighbors(n_neighbors=neighbour + 1).fit(points).kneighbors(points)
    rising = np.sort(distances[:, -1])
    return float(rising[bend(rising)])


def bend(curve: NDArray[np.floating]) -> int:
    """Where a curve lies farthest below the line between its ends.

    Args:
        curve: ``(k,)``, ``k >= 1``.

    Returns:
        The place, from 0.

    Example:
        >>> bend(np.array([10.0, 2.0, 1.5, 1.0]))
        1
    """
    return int((np.linspace(curve[0], curve[-1], len(curve)) - curve).argmax())
