"""How well groups of items agree with their classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NOISE = -1
"""The group of items that belong to none."""


@dataclass(frozen=True)
class ClusterMeasures:
    """Agreement of groups with classes, over the items that are in a group; NaN where none is.

    Attributes:
        nmi: Normalised mutual information, 0…1: 1 where each knows the other.
        ari: Adjusted Rand index, at most 1: 0 is what chance gives.
        purity: Share of the items whose class is the most frequent one of their group, 0…1; it grows with the number
            of groups.
        noise: Share of all items that are in no group.
        clusters: Number of groups.
    """

    nmi: float
    ari: float
    purity: float
    noise: float
    clusters: int


def cluster_measures(groups: ArrayLike, labels: ArrayLike) -> ClusterMeasures:
    """Compare groups with classes.

    Args:
        groups: Group of each item, ``(n,)`` integers; -1 belongs to none.
        labels: Class of each item, ``(n,)`` integers or text.

    Returns:
        The measures.

    Raises:
        ValueError: If the shapes disagree, or there is no item.

    Source:
        Hubert and Arabie, Comparing partitions, 1985; Strehl and Ghosh, Cluster ensembles, 2002.

    Example:
        >>> cluster_measures([0, 0, 1, -1], ["a", "a", "b", "b"])
        ClusterMeasures(nmi=1.0, ari=1.0, purity=1.0, noise=0.25, clusters=2)
    """
    # not above: every stage reads this package, and scikit-learn takes half as long to import as torch
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    found, classes = np.asarray(groups), np.unique(np.asarray(labels), return_inverse=True)[1].ravel()
    if found.ndim != 1 or found.shape != np.shape(labels) or not len(found):
        raise ValueError(f"expected groups and labels (n,), got {found.shape} and {np.shape(labels)}")
    kept = found != NOISE
    noise = float((~kept).mean())
    if not kept.any():
        return ClusterMeasures(float("nan"), float("nan"), float("nan"), noise, 0)
    inside = np.unique(found[kept], return_inverse=True)[1]
    votes = np.zeros((int(inside.max()) + 1, int(classes.max()) + 1), np.int64)
    np.add.at(votes, (inside, classes[kept]), 1)
    return ClusterMeasures(
        nmi=float(normalized_mutual_info_score(classes[kept], inside)),
        ari=float(adjusted_rand_score(classes[kept], inside)),
        purity=float(votes.max(axis=1).sum() / kept.sum()),
        noise=noise,
        clusters=len(votes),
    )
