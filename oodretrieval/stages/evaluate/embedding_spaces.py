"""Embedding spaces next to each other: networks × what is embedded × reduction × metric, per scene and over scenes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import MIN_QUERIES
from oodretrieval.directions import unit_vectors
from oodretrieval.evaluation import RetrievalMeasures, cluster_measures, mean_average_precision
from oodretrieval.search import cluster, project
from oodretrieval.search.expansion import expanded_directions

RANDOM, MEAN = "random", "mean over scenes"
NONE, ABOUT_THE_MEAN, WITH_NEIGHBOURS = "none", "centred", "expanded"
PCA = 32
SPACES = (
    (NONE, "euclidean"),
    (NONE, "cosine"),
    (ABOUT_THE_MEAN, "cosine"),
    (f"pca{PCA}", "euclidean"),
    (f"pca{PCA}", "cosine"),
    (WITH_NEIGHBOURS, "cosine"),
)
"""Reductions and metrics: ``centred`` are unit vectors less their mean, ``pca`` the first directions of these,
``expanded`` centred ones with their nearest neighbours added."""
RANDOM_DIMENSIONS = 64
SPACE = "embedding, reduction, metric"


@dataclass(frozen=True, eq=False)
class SceneVectors:
    """Candidates of one scene.

    Attributes:
        name: Of the scene.
        labels: Class of each, ``(n,)``, void ones left out.
        embeddings: Name → vectors, ``(n, D)``.
        positions: Of each in its video, ``(n,)``: see :func:`~oodretrieval.clips.frame_positions`.
        window: What is up to this far from a query counts as its own frames.
    """

    name: str
    labels: NDArray[Any]
    embeddings: Mapping[str, ArrayLike]
    positions: NDArray[np.int64]
    window: int


def reduced(vectors: ArrayLike, reduction: str, seed: int = 0) -> NDArray[np.float64]:
    """Vectors as a reduction leaves them.

    Args:
        vectors: ``(n, D)``.
        reduction: One of :data:`SPACES`.
        seed: Of the projection.

    Returns:
        ``(n, d)``.
    """
    points = np.asarray(vectors, np.float64)
    if reduction == NONE:
        return points
    if reduction == WITH_NEIGHBOURS:
        return expanded_directions(points)
    units = unit_vectors(points)
    if reduction == ABOUT_THE_MEAN:
        centred: NDArray[np.float64] = units - units.mean(axis=0)
        return centred
    return project(units, "pca", int(reduction.removeprefix("pca")), seed).astype(np.float64)


def space_table(scene: SceneVectors, *, min_queries: int = MIN_QUERIES, seed: int = 0) -> pd.DataFrame:
    """Retrieval and clustering in every space of a scene, and in a random one.

    Args:
        scene: Its candidates.
        min_queries: Queries that a class needs to count.
        seed: Of random vectors, projections and k-means.

    Returns:
        A row a space, its name as :data:`SPACE` says. Columns: ``mAP``, ``weighted`` (by queries), ``P@1``, ``P@5``,
        ``P@10`` among all others; the same, followed by ``other frames``, without the query's own; ``NMI``, ``ARI``,
        ``purity`` of k-means with as many groups as classes.
    """
    random = np.random.default_rng(seed).normal(size=(len(scene.labels), RANDOM_DIMENSIONS))
    spaces = [(RANDOM, "euclidean", random)]
    for name, vectors in scene.embeddings.items():
        points = {reduction: reduced(vectors, reduction, seed) for reduction, _ in SPACES}
        spaces += [(f"{name}, {how}, {metric}", metric, points[how]) for how, metric in SPACES]
    rows = {name: _measured(scene, points, metric, min_queries, seed) for name, metric, points in spaces}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(SPACE)


def _measured(
    scene: SceneVectors, points: NDArray[np.float64], metric: str, min_queries: int, seed: int
) -> dict[str, float]:
    options: dict[str, Any] = {"metric": metric, "min_queries": min_queries}
    found = _columns(mean_average_precision(points, scene.labels, **options))
    apart: dict[str, Any] = {"groups": scene.positions, "group_window": scene.window}
    others = _columns(mean_average_precision(points, scene.labels, **options, **apart))
    compared = points if metric == "euclidean" else unit_vectors(points)
    groups = cluster(compared, "kmeans", len(np.unique(scene.labels)), seed)
    agreed = cluster_measures(groups, scene.labels)
    return {
        **found,
        **{f"{name}, other frames": value for name, value in others.items()},
        "NMI": agreed.nmi,
        "ARI": agreed.ari,
        "purity": agreed.purity,
    }


def _columns(measures: RetrievalMeasures) -> dict[str, float]:
    at = {f"P@{k}": value for k, value in measures.precision_at.items()}
    return {"mAP": measures.mean, "weighted": measures.weighted, **at}


def over_scenes(tables: Mapping[str, pd.DataFrame], by: str = "mAP, other frames") -> pd.DataFrame:
    """One measure of every space, scene by scene.

    Args:
        tables: Name of a scene → its :func:`space_table`.
        by: The measure.

    Returns:
        A row for each space that all scenes have, the best mean first and random last; a column a scene, and the mean.
    """
    together = pd.concat({name: table[by] for name, table in tables.items()}, axis=1, join="inner")
    together[MEAN] = together.mean(axis=1, skipna=False)
    order = np.lexsort((-together[MEAN].to_numpy(), together.index == RANDOM))
    return together.iloc[order]
