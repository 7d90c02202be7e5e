"""The best set of regions of which none overlaps another."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled
from oodretrieval.regions.tree import RegionTree


def best_cut(tree: RegionTree, values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Regions without overlap whose values have the largest sum: exactly within each tree, greedily between trees.

    Within a tree a region is taken where it is worth more than the best set of those inside it (dynamic programming,
    from the smallest to the largest). Where regions of several trees share pixels, the one of higher value stays.

    Args:
        tree: The regions.
        values: What each is worth, ``(m,)``; one of 0 or less is never taken.

    Returns:
        The regions taken, ``(k,)``, the most valuable first; of equal ones the earlier first.

    Raises:
        ValueError: If there is not one number for each region.
    """
    worth = np.asarray(values, np.float64)
    if worth.shape != (len(tree),) or np.isnan(worth).any():
        raise ValueError(f"expected values ({len(tree)},), none NaN, got {worth.shape}")
    chosen = np.flatnonzero(_cut(tree.parent, worth))
    chosen = chosen[np.argsort(-worth[chosen], kind="stable")]
    return chosen[_without_overlap(tree.members, tree.spans[chosen], len(tree.superpixel_areas))]


def without_overlap(
    tree: RegionTree, scores: NDArray[np.floating], *, limit: int | None = None
) -> NDArray[np.int64]:
    """The region of the highest score, then the next one that overlaps none of those taken, and so on.

    Args:
        tree: The regions.
        scores: ``(m,)``.
        limit: Regions to take at most; None for all.

    Returns:
        The regions taken, ``(k,)``, in the order of their scores; of equal ones the earlier first.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return order[_without_overlap(tree.members, tree.spans[order], len(tree.superpixel_areas))][:limit]


@compiled
def _cut(parent: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A region comes before the one around it."""
    inside = np.zeros(len(parent))  # the best sum of what lies inside each
    taken = np.zeros(len(parent), np.bool_)
    for region in range(len(parent)):
        taken[region] = values[region] > inside[region]
        if parent[region] >= 0:
            inside[parent[region]] += max(values[region], inside[region])
    covered = np.zeros(len(parent), np.bool_)
    for region in range(len(parent) - 1, -1, -1):
        above = parent[region]
        covered[region] = above >= 0 and (covered[above] or taken[above])
        taken[region] &= not covered[region]
    return taken


@compiled
def _without_overlap(
    members: NDArray[np.int32], spans: NDArray[np.int64], superpixels: int
) -> NDArray[np.bool_]:
    occupied = np.zeros(superpixels, np.bool_)
    free = np.ones(len(spans), np.bool_)
    for region in range(len(spans)):
        own = members[spans[region, 0] : spans[region, 1]]
        for member in own:
            if occupied[member]:
                free[region] = False
                break
        if free[region]:
            for member in own:
                occupied[member] = True
    return free
