"""Group the vectors of an embedding space, and the curve that helps to choose how many groups."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans, SpectralClustering

from oodretrieval.errors import UnknownNameError
from oodretrieval.search.density_clusters import bend, dense_groups
from oodretrieval.search.distances import finite_vectors
from oodretrieval.search.weighted_ward import weighted_ward

LARGEST_ELBOW = 20
LARGEST_WHOLE = 20_000
"""Different vectors up to which k-means sees all of them at every step."""
LARGEST_COMPARED, CENTRES = 5_000, 2_000
"""Different vectors that are compared with each other at most, and the centres that stand for more."""
_STARTS = 4
_BATCH = 4096


def cluster(
    vectors: ArrayLike, method: str = "kmeans", clusters: int | None = None, seed: int = 0, **options: Any
) -> NDArray[np.int64]:
    """Group vectors.

    Methods that compare every vector with every other do so up to 5 thousand different ones. Of more, they group 2
    thousand centres of k-means, each weighted by what it stands for, and every vector is where its centre is: seconds
    and tens of megabytes for any number.

    Args:
        vectors: ``(n, D)``, finite; ``n`` may be 0.
        method: ``"kmeans"``, in mini-batches from 20 thousand different vectors on; ``"spectral"``, on the graph of the
            nearest neighbours; ``"agglomerative"``, with Ward's linkage; ``"dbscan"`` or ``"hdbscan"``, which find
            their number of groups themselves, and noise.
        clusters: How many groups, >= 1; lowered to the number of different vectors. None for the elbow of
            k-means, see :func:`elbow`, and for ``dbscan`` and ``hdbscan``.
        seed: Same seed, same groups.
        **options: Of spectral: ``n_neighbors`` (10). Of DBSCAN: ``min_samples`` (5), ``eps`` (0: where the sorted
            distances to that neighbour bend most). Of HDBSCAN: ``min_cluster_size`` (5), ``min_samples`` (0: the
            same).

    Returns:
        Group of each vector, ``(n,)``, numbered from 0, the largest first, -1 for noise; equal vectors are in one
        group, and no group is empty.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, ``clusters < 1``, an option is negative, or a
            number of clusters is given to a method that finds it by itself.
        UnknownNameError: If there is no such method, or the method has no such option.

    Source:
        Lloyd, Least squares quantization in PCM, 1982; Sculley, Web-scale k-means clustering, 2010; Shi and Malik,
        Normalized cuts and image segmentation, 2000; Ward, Hierarchical grouping to optimize an objective function,
        1963; Ester et al., A density-based algorithm for discovering clusters, 1996; Campello et al., Density-based
        clustering based on hierarchical density estimates, 2013.

    Example:
        >>> cluster([[0.0], [9.0], [0.1]], clusters=2).tolist()
        [0, 1, 0]
    """
    points = finite_vectors(vectors)
    if method not in METHODS:
        raise UnknownNameError("clustering method", method, METHODS)
    options = _options(method, options)
    if clusters is not None and clusters < 1:
        raise ValueError(f"clusters must be at least 1, got {clusters}")
    if clusters is not None and method in DENSITY_METHODS:
        raise ValueError(f"{method} finds the number of clusters by itself; leave clusters out")
    distinct, place = np.unique(points, axis=0, return_inverse=True)
    weights = np.bincount(place.ravel(), minlength=len(distinct)).astype(np.float64)
    if method in DENSITY_METHODS:
        groups = dense_groups(distinct, weights, method, options) if len(distinct) else place
        return _by_size(groups[place.ravel()])
    if clusters is None:
        clusters = elbow(elbow_curve(points, seed=seed))
    number = min(clusters, len(distinct))
    if number <= 1:
        groups = np.zeros(len(distinct), np.int64)
    elif number == len(distinct):
        groups = np.arange(number)
    else:
        found = _numbered(distinct, weights, method, number, seed, options)
        groups = _completed(distinct, found, number)
    return _by_size(groups[place.ravel()])


def noise_share(groups: NDArray[np.integer]) -> float:
    """How much is in no group.

    Args:
        groups: Of :func:`cluster`, ``(n,)``.

    Returns:
        Share of -1, 0…1; 0 without vectors.

    Example:
        >>> noise_share(np.array([0, -1, 0, 1]))
        0.25
    """
    return float((groups < 0).mean()) if len(groups) else 0.0


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
    points = finite_vectors(vectors)
    distinct, counts = np.unique(points, axis=0, return_counts=True)
    largest = min(largest, len(distinct))
    weights = counts.astype(np.float64)
    spread = []
    for number in range(1, largest + 1):
        spread.append(float(_means(distinct, weights, number, seed).inertia_))
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
    return bend(curve) + 1


def _options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = METHODS[method]
    for name, value in options.items():
        if name not in known:
            raise UnknownNameError(f"option of {method}", name, known)
        if value < 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    return {**known, **options}


def _numbered(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    method: str,
    number: int,
    seed: int,
    options: Mapping[str, Any],
) -> NDArray[np.int64]:
    """A given number of groups of different points ``(m, D)``, ``1 < number < m``."""
    if method == "kmeans":
        return np.asarray(_means(points, weights, number, seed).labels_, np.int64)
    nearest = np.arange(len(points))
    if len(points) > LARGEST_COMPARED:
        model = _means(points, weights, max(CENTRES, 2 * number), seed)
        used, nearest = np.unique(model.labels_, return_inverse=True)
        weights = np.bincount(nearest, weights).astype(np.float64)
        points = np.asarray(model.cluster_centers_, np.float64)[used]
    if method == "spectral":
        groups = _spectral(points, number, seed, int(options["n_neighbors"]))
    else:
        groups = weighted_ward(points, weights, min(number, len(points)))
    return groups[nearest]


def _means(
    points: NDArray[np.float64], weights: NDArray[np.float64], number: int, seed: int
) -> KMeans | MiniBatchKMeans:
    """k-means, in mini-batches where there are many points."""
    if len(points) > LARGEST_WHOLE:
        batches = MiniBatchKMeans(number, n_init=_STARTS, batch_size=_BATCH, random_state=seed)
        with warnings.catch_warnings():
            # a memory leak of Windows' threads, which are not in use
            warnings.filterwarnings("ignore", message="MiniBatchKMeans is known to have a memory leak")
            return batches.fit(points, sample_weight=weights)
    return KMeans(number, n_init=_STARTS, random_state=seed).fit(points, sample_weight=weights)


def _spectral(points: NDArray[np.float64], number: int, seed: int, neighbours: int) -> NDArray[np.int64]:
    model = SpectralClustering(
        min(number, len(points)),
        affinity="nearest_neighbors",
        n_neighbors=max(1, min(neighbours, len(points) - 1)),
        random_state=seed,
        assign_labels="cluster_qr",
    )
    with warnings.catch_warnings():
        # parts of the graph that do not hang together are groups, and that is what is asked for
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # as many vectors as dimensions look to scikit-learn like an affinity matrix
        warnings.filterwarnings("ignore", message="The spectral clustering API has changed")
        return np.asarray(model.fit_predict(points), np.int64)


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
    """Renumbered: the largest group is 0, of equal ones that which comes first; noise stays -1."""
    found, first, counts = np.unique(groups[groups >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = np.full(int(found.max(initial=-1)) + 2, -1, np.int64)
    rank[found[order]] = np.arange(len(found))
    return rank[groups]


DENSITY_METHODS = ("dbscan", "hdbscan")
"""They find the number of groups by themselves, and leave noise."""
METHODS: dict[str, dict[str, Any]] = {
    "kmeans": {},
    "spectral": {"n_neighbors": 10},
    "agglomerative": {},
    "dbscan": {"eps": 0.0, "min_samples": 5},
    "hdbscan": {"min_cluster_size": 5, "min_samples": 0},
}
"""Method of clustering → its options, with their defaults."""
