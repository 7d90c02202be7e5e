"""Project an embedding space to a few dimensions, to see it or to search in."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from oodretrieval.errors import UnknownNameError
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search.distances import finite_vectors
from oodretrieval.search.isomap import isomap
from oodretrieval.search.neighbour_embeddings import opentsne, pacmap, tsne, umap
from oodretrieval.search.sampled_pca import sampled_pca

PCA_BEFORE = 50
LARGEST_COPIED = 20_000_000
"""Values of vectors that are copied to float64 and taken as they are; of more, principal components of a sample are."""


def project(
    vectors: ArrayLike | PartedArray,
    method: str = "tsne",
    dimensions: int = 2,
    seed: int = 0,
    **options: Any,
) -> NDArray[np.float32]:
    """Project vectors to a few dimensions.

    t-SNE, openTSNE, UMAP and PaCMAP follow a PCA to 50 dimensions, as published. Of more than 20 million values, the
    PCA is that of a sample, and Isomap follows it, too; no copy of the vectors is made. Where there are too few
    different points for a method (fewer than 4; 8 for UMAP and PaCMAP), its PCA is given; dimensions that the points do
    not span are 0.

    Args:
        vectors: ``(n, D)``, finite; ``n`` may be 0; may be memory-mapped.
        method: ``"tsne"``, ``"pca"`` or ``"isomap"``; or ``"opentsne"``, ``"umap"`` or ``"pacmap"``, which need the
            extra ``projection``.
        dimensions: How many, >= 1.
        seed: Same seed, same projection.
        **options: Of t-SNE and openTSNE: ``perplexity`` (30, lowered to a third of the points where there are few),
            ``learning_rate`` (``"auto"``), ``early_exaggeration`` (12), ``max_iter`` (1000). Of UMAP: ``n_neighbors``
            (15), ``min_dist`` (0.1). Of PaCMAP: ``n_neighbors`` (10). Of all these: ``pca`` (50 dimensions before it),
            ``verbose`` (2 says how far it is). Of Isomap: ``n_neighbors`` (5, raised until all points hang together).

    Returns:
        ``(n, dimensions)``.

    Raises:
        ValueError: If the vectors are not ``(n, D)`` or not finite, or an option is out of range.
        UnknownNameError: If there is no such method, or the method has no such option.
        ConfigurationError: If the extra is not installed.

    Source:
        van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008; Tenenbaum et al., A global
        geometric framework for nonlinear dimensionality reduction, Science 2000.

    Example:
        >>> project([[0.0, 0.0], [3.0, 4.0]], "pca", dimensions=1).round(2).ravel().tolist()
        [-2.5, 2.5]
    """
    stored = vectors if isinstance(vectors, PartedArray) else np.asarray(vectors)
    if stored.ndim != 2:
        raise ValueError(f"vectors must be (n, D), got shape {stored.shape}")
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    if method not in METHODS:
        raise UnknownNameError("projection method", method, METHODS)
    known = METHODS[method]
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {method}", name, known)
        if isinstance(options[name], (int, float)) and not options[name] > 0:
            raise ValueError(f"{name} must be > 0, got {options[name]}")
    if stored.size > LARGEST_COPIED:
        kept = dimensions if method == "pca" else max(dimensions, int(known.get("pca", PCA_BEFORE)))
        stored = sampled_pca(cast("NDArray[np.floating]", stored), kept, seed=seed)
        if method == "pca":
            return stored
    return _projected(finite_vectors(stored), method, dimensions, seed, {**known, **options}).astype(
        np.float32
    )


def _projected(
    points: NDArray[np.float64], method: str, dimensions: int, seed: int, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    enough = len(points) >= _FEWEST.get(method, 4) and (points != points[0]).any()
    if method == "pca" or not enough:
        return _pca(points, dimensions, seed)
    if method == "isomap":
        return isomap(points, dimensions, int(options["n_neighbors"]), seed)
    start = _pca(points, dimensions, seed)
    reduced = _pca(points, min(int(options["pca"]), *points.shape), seed)
    return _NEIGHBOUR_EMBEDDINGS[method](reduced, start, dimensions, seed, options)


def _pca(points: NDArray[np.float64], dimensions: int, seed: int) -> NDArray[np.float64]:
    spanned = min(dimensions, *points.shape)
    projected = np.zeros((len(points), dimensions))
    if spanned and (points != points[0]).any():
        projected[:, :spanned] = PCA(spanned, random_state=seed).fit_transform(points)
    return projected


_Method = Callable[
    [NDArray[np.float64], NDArray[np.float64], int, int, Mapping[str, Any]], NDArray[np.float64]
]
_NEIGHBOUR_EMBEDDINGS: dict[str, _Method] = {
    "tsne": tsne,
    "opentsne": opentsne,
    "umap": umap,
    "pacmap": pacmap,
}
_FEWEST = {"umap": 8, "pacmap": 8}
_TSNE: dict[str, Any] = {
    "perplexity": 30.0,
    "learning_rate": "auto",
    "early_exaggeration": 12.0,
    "max_iter": 1000,
    "verbose": 0,
    "pca": PCA_BEFORE,
}
METHODS: dict[str, dict[str, Any]] = {
    "pca": {},
    "tsne": _TSNE,
    "isomap": {"n_neighbors": 5},
    "opentsne": _TSNE,
    "umap": {"n_neighbors": 15, "min_dist": 0.1, "verbose": 0, "pca": PCA_BEFORE},
    "pacmap": {"n_neighbors": 10, "verbose": 0, "pca": PCA_BEFORE},
}
"""Method of projection → its options, with their defaults."""
