"""Project an embedding space to a few dimensions, to see it or to search in."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.sparse.linalg import eigsh
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import kneighbors_graph

from oodretrieval.errors import UnknownNameError

_PCA_BEFORE_TSNE = 50
LARGEST_DENSE = 300


def project(
    vectors: ArrayLike, method: str = "tsne", dimensions: int = 2, seed: int = 0, **options: Any
) -> NDArray[np.float32]:
    """Project vectors to a few dimensions.

    t-SNE follows a PCA to 50 dimensions, as published. Where there are too few different points for a method
    (fewer than 4), its PCA is given; dimensions that the points do not span are 0.

    Args:
        vectors: ``(n, D)``, finite; ``n`` may be 0. Isomap needs ``16 n²`` bytes of memory.
        method: ``"tsne"``, ``"pca"`` or ``"isomap"``.
        dimensions: How many, >= 1.
        seed: Same seed, same projection.
        **options: Of t-SNE: ``perplexity`` (30, lowered to a third of the points where there are few),
            ``learning_rate`` (``"auto"``), ``early_exaggeration`` (12), ``max_iter`` (1000), ``pca`` (50
            dimensions before it), ``verbose`` (2 prints every fiftieth iteration). Of Isomap: ``n_neighbors``
            (5, raised until all points hang together).

    Returns:
        ``(n, dimensions)``.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or an option is out of range.
        UnknownNameError: If there is no such method, or the method has no such option.

    Source:
        van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008; Tenenbaum et al., A global
        geometric framework for nonlinear dimensionality reduction, Science 2000.

    Example:
        >>> project([[0.0, 0.0], [3.0, 4.0]], "pca", dimensions=1).round(2).ravel().tolist()
        [-2.5, 2.5]
    """
    points = np.asarray(vectors, np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"vectors must be (n, D) and finite, got shape {points.shape} or NaN or infinity")
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    if method not in _METHODS:
        raise UnknownNameError("projection method", method, _METHODS)
    project_by, known = _METHODS[method]
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {method}", name, known)
        if isinstance(options[name], (int, float)) and not options[name] > 0:
            raise ValueError(f"{name} must be > 0, got {options[name]}")
    return project_by(points, dimensions, seed, {**known, **options}).astype(np.float32)


def _pca(
    points: NDArray[np.float64], dimensions: int, seed: int, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    spanned = min(dimensions, *points.shape)
    projected = np.zeros((len(points), dimensions))
    if spanned and (points != points[0]).any():
        projected[:, :spanned] = PCA(spanned, random_state=seed).fit_transform(points)
    return projected


def _tsne(
    points: NDArray[np.float64], dimensions: int, seed: int, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    start = _pca(points, dimensions, seed, {})
    if not _enough(points):
        return start
    reduced = _pca(points, min(int(options["pca"]), *points.shape), seed, {})
    model = TSNE(
        dimensions,
        perplexity=min(float(options["perplexity"]), (len(points) - 1) / 3),
        learning_rate=options["learning_rate"],
        early_exaggeration=float(options["early_exaggeration"]),
        max_iter=int(options["max_iter"]),
        verbose=int(options["verbose"]),
        init=(start / start[:, 0].std() * 1e-4).astype(np.float32),
        method="barnes_hut" if dimensions <= 3 else "exact",
        random_state=seed,
    )
    projected: NDArray[np.float64] = model.fit_transform(reduced)
    return projected


def _isomap(
    points: NDArray[np.float64], dimensions: int, seed: int, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    if not _enough(points):
        return _pca(points, dimensions, seed, {})
    neighbours = min(int(options["n_neighbors"]), len(points) - 1)
    graph = kneighbors_graph(points, neighbours, mode="distance")
    while connected_components(graph, directed=False)[0] > 1:
        neighbours = min(2 * neighbours, len(points) - 1)
        graph = kneighbors_graph(points, neighbours, mode="distance")
    return _scaling(shortest_path(graph, method="D", directed=False), dimensions, seed)


def _scaling(distances: NDArray[np.float64], dimensions: int, seed: int) -> NDArray[np.float64]:
    """Classical multidimensional scaling: points at these distances ``(n, n)``, as well as it goes."""
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
    axes = axes[:, order]
    # an eigenvector's sign is arbitrary: let its largest entry be positive
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(spanned)])
    projected = np.zeros((count, dimensions))
    projected[:, :spanned] = axes * np.sqrt(np.maximum(values[order], 0))
    return projected


def _enough(points: NDArray[np.float64]) -> bool:
    """Whether there are points enough, and different ones, for more than a PCA."""
    return len(points) >= 4 and bool((points != points[0]).any())


_Method = Callable[[NDArray[np.float64], int, int, Mapping[str, Any]], NDArray[np.float64]]
_METHODS: dict[str, tuple[_Method, dict[str, Any]]] = {
    "pca": (_pca, {}),
    "tsne": (
        _tsne,
        {
            "perplexity": 30.0,
            "learning_rate": "auto",
            "early_exaggeration": 12.0,
            "max_iter": 1000,
            "verbose": 0,
            "pca": _PCA_BEFORE_TSNE,
        },
    ),
    "isomap": (_isomap, {"n_neighbors": 5}),
}
