"""Group the vectors of an embedding space, and the curve that helps to choose how many groups."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering

from oodretrieval.errors import UnknownNameError

LARGEST_ELBOW = 20
_STARTS = 4
_NEIGHBOURS = 10


def cluster(
    vectors: ArrayLike, method: str = "kmeans", clusters: int | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Group vectors.

    Args:
        vectors: ``(n, D)``, finite; ``n`` may be 0. Agglomerative needs ``4 n²`` bytes of memory.
        method: ``"kmeans"``; ``"spectral"``, on the graph of the 10 nearest neighbours; or ``"agglomerative"``,
            with Ward's linkage.
        clusters: How many groups, >= 1; lowered to the number of different vectors. None for the elbow of
            k-means, see :func:`elbow`.
        seed: Same seed, same groups.

    Returns:
        Group of each vector, ``(n,)``, numbered from 0, the largest first; equal vectors are in one group,
        and no group is empty.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or ``clusters < 1``.
        UnknownNameError: If there is no such method.

    Source:
        Lloyd, Least squares quantization in PCM, 1982; Shi and Malik, Normalized cuts and image segmentation,
        2000; Ward, Hierarchical grouping to optimize an objective function, 1963.

    Example:
        >>> cluster([[0.0], [9.0], [0.1]], clusters=2).tolist()
        [0, 1, 0]
    """
    points = _checked(vectors)
    if method not in METHODS:
        raise UnknownNameError("clustering method", method, METHODS)
    if clusters is not None and clusters < 1:
        raise ValueError(f"clusters must be at least 1, got {clusters}")
    distinct, place = np.unique(points, axis=0, return_inverse=True)
    if clusters is None:
        clusters = elbow(elbow_curve(points, seed=seed))
    number = min(clusters, len(distinct))
    if number <= 1:
        groups = np.zeros(len(distinct), np.int64)
    elif number == len(distinct):
        groups = np.arange(number)
    else:
        weights = np.bincount(place.ravel()).astype(np.float64)
        groups = _completed(distinct, METHODS[method](distinct, weights, number, seed), number)
    return _by_size(groups[place.ravel()])


def elbow_curve(
    vectors: ArrayLike,
    largest: int = LARGEST_ELBOW,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float64]:
    """How much spread remains within the groups of k-means, for 1 group and more.

    Args:
        vectors: ``(n, D)``, finite.
        largest: Most groups to try; lowered to the number of different vectors.
        seed: Of k-means.
        progress: Called with how many groups were tried, and how many will be.

    Returns:
        Sum of squared distances to the nearest centre, ``(k,)``; entry i belongs to i + 1 groups. It never
        rises; empty without vectors.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite.

    Source:
        Thorndike, Who belongs in the family?, Psychometrika 1953.

    Example:
        >>> elbow_curve([[0.0], [2.0], [10.0]]).round(1).tolist()
        [56.0, 2.0, 0.0]
    """
    points = _checked(vectors)
    largest = min(largest, len(np.unique(points, axis=0)))
    spread = []
    for number in range(1, largest + 1):
        spread.append(float(KMeans(number, n_init=_STARTS, random_state=seed).fit(points).inertia_))
        progress(number, largest)
    return np.minimum.accumulate(np.asarray(spread, np.float64))


def elbow(curve: NDArray[np.floating]) -> int:
    """The number of groups where the curve bends most: farthest below the line between its ends.

    Args:
        curve: Of :func:`elbow_curve`, ``(k,)``.

    Returns:
        1 … k; 1 for an empty or straight curve.

    Source:
        Satopää et al., Finding a "kneedle" in a haystack, 2011.

    Example:
        >>> elbow(np.array([10.0, 2.0, 1.5, 1.0]))
        2
    """
    if len(curve) < 3 or curve[0] <= curve[-1]:
        return 1
    line = np.linspace(curve[0], curve[-1], len(curve))
    return int((line - curve).argmax()) + 1


def _checked(vectors: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(vectors, np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"vectors must be (n, D) and finite, got shape {points.shape} or NaN or infinity")
    return points


def _kmeans(
    points: NDArray[np.float64], weights: NDArray[np.float64], number: int, seed: int
) -> NDArray[np.int64]:
    model = KMeans(number, n_init=_STARTS, random_state=seed)
    return np.asarray(model.fit_predict(points, sample_weight=weights), np.int64)


def _spectral(
    points: NDArray[np.float64], weights: NDArray[np.float64], number: int, seed: int
) -> NDArray[np.int64]:
    neighbours = min(_NEIGHBOURS, len(points) - 1)
    model = SpectralClustering(
        number,
        affinity="nearest_neighbors",
        n_neighbors=neighbours,
        random_state=seed,
        assign_labels="cluster_qr",
    )
    with warnings.catch_warnings():
        # parts of the graph that do not hang together are groups, and that is what is asked for
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # as many vectors as dimensions look to scikit-learn like an affinity matrix
        warnings.filterwarnings("ignore", message="The spectral clustering API has changed")
        return np.asarray(model.fit_predict(points), np.int64)


def _agglomerative(
    points: NDArray[np.float64], weights: NDArray[np.float64], number: int, seed: int
) -> NDArray[np.int64]:
    return np.asarray(AgglomerativeClustering(number, linkage="ward").fit_predict(points), np.int64)


def _completed(points: NDArray[np.float64], groups: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """As many groups as asked for: spectral clustering may leave one empty, where points are alike.

    The point farthest from the mean of the largest group becomes a group of its own, as often as needed.
    """
    groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    for new in range(int(groups.max()) + 1, number):
        members = np.flatnonzero(groups == np.bincount(groups).argmax())
        gaps = np.linalg.norm(points[members] - points[members].mean(axis=0), axis=1)
        groups[members[gaps.argmax()]] = new
    return groups


def _by_size(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumbered: the largest group is 0, of equal ones that which comes first."""
    found, first, counts = np.unique(groups, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = np.empty(int(found.max(initial=-1)) + 1, np.int64)
    rank[found[order]] = np.arange(len(found))
    return rank[groups]


_Method = Callable[[NDArray[np.float64], NDArray[np.float64], int, int], NDArray[np.int64]]
METHODS: dict[str, _Method] = {"kmeans": _kmeans, "spectral": _spectral, "agglomerative": _agglomerative}
