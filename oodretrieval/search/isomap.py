"""Isomap: points as far apart as the ways between them through their neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.sparse.linalg import eigsh
from sklearn.neighbors import NearestNeighbors, kneighbors_graph

LARGEST_DENSE = 300
"""Points up to which all eigenvectors are found."""
LARGEST_WHOLE, LANDMARKS = 5_000, 300
"""Points between all of which ways are found, and the landmarks from which ways to more of them start."""


def isomap(
    points: NDArray[np.float64], dimensions: int, neighbours: int, seed: int = 0
) -> NDArray[np.float64]:
    """Project points so that distances are the lengths of the shortest ways through near neighbours.

    Of up to 5 thousand points, the ways between all of them are found (``16 n²`` bytes). Of more, those from 300
    landmarks to all (``2.4 kB`` a point): the landmarks are placed, and all others by their distances to them.

    Args:
        points: ``(n, D)``, ``n >= 4``, not all alike.
        dimensions: How many, >= 1; those that the points do not span are 0.
        neighbours: Of each point, >= 1; raised until all points hang together, beyond 5 thousand by links between the
            parts.
        seed: Of landmarks and eigenvectors.

    Returns:
        ``(n, dimensions)``.

    Source:
        Tenenbaum et al., A global geometric framework for nonlinear dimensionality reduction, Science 2000; de Silva
        and Tenenbaum, Global versus local methods in nonlinear dimensionality reduction, NIPS 2002.
    """
    neighbours = min(neighbours, len(points) - 1)
    if len(points) > LARGEST_WHOLE:
        return _by_landmarks(points, dimensions, neighbours, seed)
    graph = kneighbors_graph(points, neighbours, mode="distance")
    while connected_components(graph, directed=False)[0] > 1:
        neighbours = min(2 * neighbours, len(points) - 1)
        graph = kneighbors_graph(points, neighbours, mode="distance")
    projected, _, _ = _scaling(shortest_path(graph, method="D", directed=False), dimensions, seed)
    return projected


def _by_landmarks(
    points: NDArray[np.float64], dimensions: int, neighbours: int, seed: int
) -> NDArray[np.float64]:
    graph = _linked(points, kneighbors_graph(points, neighbours, mode="distance"))
    landmarks = np.random.default_rng(seed).choice(len(points), LANDMARKS, replace=False)
    ways = shortest_path(graph, method="D", directed=False, indices=landmarks)
    _, axes, values = _scaling(ways[:, landmarks], dimensions, seed)
    means = (ways[:, landmarks] ** 2).mean(axis=1)
    spanned = len(values)
    pseudo_inverse = axes / np.sqrt(np.where(values > 0, values, np.inf))
    projected = np.zeros((len(points), dimensions))
    projected[:, :spanned] = -0.5 * (ways**2 - means[:, None]).T @ pseudo_inverse
    return projected


def _linked(points: NDArray[np.float64], graph: csr_matrix) -> csr_matrix:
    """The graph with every part linked to the largest one, where they come nearest to the middle of the part."""
    count, part = connected_components(graph, directed=False)
    if count == 1:
        return graph
    largest = int(np.bincount(part).argmax())
    main = np.flatnonzero(part == largest)
    search = NearestNeighbors(n_neighbors=1).fit(points[main])
    links = []
    for other in range(count):
        if other != largest:
            rows = np.flatnonzero(part == other)
            _, near = search.kneighbors(points[rows].mean(axis=0, keepdims=True))
            there = int(main[near[0, 0]])
            gaps = np.linalg.norm(points[rows] - points[there], axis=1)
            links.append((int(rows[gaps.argmin()]), there, float(gaps.min()) or 1e-12))
    one, two, lengths = zip(*links, strict=True)
    return csr_matrix(graph + csr_matrix((lengths, (one, two)), shape=graph.shape))


def _scaling(
    distances: NDArray[np.float64], dimensions: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Classical multidimensional scaling: points at these distances ``(n, n)``, as well as it goes; axes and values."""
    squares = distances**2
    means = squares.mean(axis=0)
    products = -0.5 * (squares - means - means[:, None] + means.mean())
    count = len(products)
    spanned = min(dimensions, count)
    if count <= max(LARGEST_DENSE, 2 * dimensions + 2):
        values, axes = eigh(products, subset_by_index=(count - spanned, count - 1))
    else:
        values, axes = eigsh(products, spanned, which="LA", v0=np.random.default_rng(seed).random(count))
    order = np.argsort(-values)
    axes, values = axes[:, order], np.maximum(values[order], 0)
    # an eigenvector's sign is arbitrary: let its largest entry be positive
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(spanned)])
    projected = np.zeros((count, dimensions))
    projected[:, :spanned] = axes * np.sqrt(values)
    return projected, axes, values
