"""Projections that keep near what is near: t-SNE, and by the extra ``projection`` openTSNE, UMAP and PaCMAP."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from oodretrieval.extras import require_extra

EXTRA = "projection"

Points = NDArray[np.float64]


def tsne(points: Points, start: Points, dimensions: int, seed: int, options: Mapping[str, Any]) -> Points:
    """t-SNE of scikit-learn.

    Args:
        points: ``(n, D)``, ``n >= 4``, not all alike.
        start: Their principal components, ``(n, dimensions)``, the first of which varies.
        dimensions: How many.
        seed: Same seed, same projection.
        options: Of the method, all of them; see :func:`~oodretrieval.search.project`.

    Returns:
        ``(n, dimensions)``.
    """
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
    return np.asarray(model.fit_transform(points), np.float64)


def opentsne(points: Points, start: Points, dimensions: int, seed: int, options: Mapping[str, Any]) -> Points:
    """t-SNE of openTSNE, which takes far less than one step for every pair; arguments as of :func:`tsne`.

    Args:
        points: ``(n, D)``.
        start: ``(n, dimensions)``.
        dimensions: 1 or 2.
        seed: Same seed, same projection.
        options: Of the method.

    Returns:
        ``(n, dimensions)``.

    Raises:
        ConfigurationError: If openTSNE is not installed.
        ValueError: If ``dimensions > 2``.

    Source:
        Poličar et al., openTSNE: a modular Python library for t-SNE dimensionality reduction, 2019.
    """
    if dimensions > 2:
        raise ValueError(f"opentsne projects to 1 or 2 dimensions, got {dimensions}; choose tsne")
    package = require_extra("openTSNE", EXTRA, "method=opentsne")
    model = package.TSNE(
        n_components=dimensions,
        perplexity=min(float(options["perplexity"]), (len(points) - 1) / 3),
        learning_rate=options["learning_rate"],
        early_exaggeration=float(options["early_exaggeration"]),
        n_iter=max(1, int(options["max_iter"]) - 250),
        initialization=start / start[:, 0].std() * 1e-4,
        random_state=seed,
        n_jobs=1,
        verbose=bool(options["verbose"]),
    )
    return np.asarray(model.fit(points), np.float64)


def umap(points: Points, start: Points, dimensions: int, seed: int, options: Mapping[str, Any]) -> Points:
    """UMAP; arguments as of :func:`tsne`.

    Args:
        points: ``(n, D)``.
        start: ``(n, dimensions)``.
        dimensions: How many.
        seed: Same seed, same projection.
        options: Of the method.

    Returns:
        ``(n, dimensions)``.

    Raises:
        ConfigurationError: If umap-learn is not installed.

    Source:
        McInnes et al., UMAP: uniform manifold approximation and projection, arXiv:1802.03426.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of one thread where a seed is set, of TensorFlow, which it can do without
        package = require_extra("umap", EXTRA, "method=umap")
        model = package.UMAP(
            n_neighbors=max(2, min(int(options["n_neighbors"]), len(points) - 1)),
            min_dist=float(options["min_dist"]),
            n_components=dimensions,
            init=(10 * start / np.abs(start).max()).astype(np.float32),
            random_state=seed,
            n_jobs=1,
            verbose=bool(options["verbose"]),
        )
        return np.asarray(model.fit_transform(points), np.float64)


def pacmap(points: Points, start: Points, dimensions: int, seed: int, options: Mapping[str, Any]) -> Points:
    """PaCMAP; arguments as of :func:`tsne`.

    Args:
        points: ``(n, D)``.
        start: ``(n, dimensions)``.
        dimensions: How many, >= 2.
        seed: Same seed, same projection.
        options: Of the method.

    Returns:
        ``(n, dimensions)``.

    Raises:
        ConfigurationError: If pacmap is not installed.
        ValueError: If ``dimensions < 2``.

    Source:
        Wang et al., Understanding how dimension reduction tools work, JMLR 2021.
    """
    if dimensions < 2:
        raise ValueError("pacmap projects to 2 dimensions or more, got 1; choose umap or tsne")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the seed, which makes it reproducible
        package = require_extra("pacmap", EXTRA, "method=pacmap")
        near = max(1, min(int(options["n_neighbors"]), len(points) - 2))
        model = package.PaCMAP(
            n_components=dimensions, n_neighbors=near, random_state=seed, verbose=bool(options["verbose"])
        )
        return np.asarray(
            model.fit_transform(points.astype(np.float32), init=start.astype(np.float32)), np.float64
        )
