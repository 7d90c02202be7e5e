"""How well groups are apart: silhouettes, and the number of groups for which they are best."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import silhouette_samples

from oodretrieval.search.clustering import LARGEST_ELBOW, cluster

COMPARED = 2_000
"""Vectors that are compared with each other, at most; a sample stands for more."""


def silhouette(vectors: ArrayLike, groups: NDArray[np.integer], seed: int = 0) -> float:
    """How much nearer vectors are to their own group than to the next one.

    Args:
        vectors: ``(n, D)``, finite.
        groups: Of :func:`~oodretrieval.search.cluster`, ``(n,)``; noise is left out.
        seed: Which vectors stand for all where there are more than 2 thousand.

    Returns:
        Mean over the vectors, -1…1, higher is better; NaN where there are fewer than two groups, or none of two.

    Source:
        Rousseeuw, Silhouettes, Journal of Computational and Applied Mathematics 1987.

    Example:
        >>> round(silhouette([[0.0], [1.0], [10.0], [11.0]], np.array([0, 0, 1, 1])), 2)
        0.9
    """
    points = np.asarray(vectors)
    rows = np.flatnonzero(np.asarray(groups) >= 0)
    if len(rows) > COMPARED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, COMPARED, replace=False))
    named = np.asarray(groups)[rows]
    if not 2 <= len(np.unique(named)) < len(named):
        return float("nan")
    return float(silhouette_samples(np.asarray(points[rows], np.float64), named).mean())


def silhouette_curve(
    vectors: ArrayLike,
    method: str = "kmeans",
    largest: int = LARGEST_ELBOW,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> NDArray[np.float64]:
    """The silhouette of 2, 3, … groups; the best number is where it is highest.

    Args:
        vectors: ``(n, D)``, finite.
        method: Of :func:`~oodretrieval.search.cluster`, one that takes a number of groups.
        largest: Most groups to try; lowered to one less than the number of vectors.
        seed: Of the clustering and the sample.
        progress: Called with how many groups were tried, and how many will be.
        **options: Of the method.

    Returns:
        ``(largest - 1,)``, entry i belongs to i + 2 groups; empty where there are fewer than 3 vectors. NaN where the
        vectors have no such number of groups.
    """
    points = np.asarray(vectors)
    largest = min(largest, len(points) - 1)
    curve = []
    for number in range(2, largest + 1):
        curve.append(silhouette(points, cluster(points, method, number, seed, **options), seed))
        progress(number, largest)
    return np.asarray(curve, np.float64)
