"""From hierarchies to one tree of regions: sizes that can be objects, each set of superpixels once."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled
from oodretrieval.regions.merging import Hierarchy
from oodretrieval.regions.tree import RegionTree

Whole = TypeVar("Whole", np.int64, np.uint64)


def collect_regions(
    labels: NDArray[np.int32],
    step: int,
    size: tuple[int, int],
    trees: Mapping[str, tuple[Hierarchy, NDArray[np.bool_]]],
    areas: tuple[float, float],
    seed: int = 0,
) -> RegionTree:
    """Gather the nodes of hierarchies over the same superpixels.

    Args:
        labels: Superpixel of every cell, ``(h, w)``.
        step: Pixels along the side of a cell.
        size: Height and width of the image, in pixels.
        trees: Name → hierarchy, and which of its nodes may be regions.
        areas: Smallest and largest region, in cells.
        seed: Of the keys by which equal sets are recognised.

    Returns:
        The regions, a smaller one before those around it; of equal ones the first.

    Raises:
        ValueError: If there is no hierarchy.
    """
    if not trees:
        raise ValueError(
            "there is nothing to propose regions from; expected at least one of hierarchies, logits, novelty"
        )
    cells = np.asarray(np.bincount(labels.ravel()), np.int64)
    # Two sets with one sum of such keys are one set, but for one chance in 2^64.
    keys = np.random.default_rng(seed).integers(0, 2**64, len(cells), dtype=np.uint64)
    seen: set[int] = set()
    members, spans, parents, source = [], [], [], []
    nodes = superpixels = 0
    for name, (tree, wanted) in trees.items():
        area, digest = _sums(cells, tree), _sums(keys, tree)
        fits = np.flatnonzero(wanted & (area >= areas[0]) & (area <= areas[1]))
        _, first = np.unique(digest[fits], return_index=True)
        fresh = [place for place in np.sort(first) if int(digest[fits[place]]) not in seen]
        chosen = fits[fresh]
        seen |= {int(value) for value in digest[chosen]}
        above = _kept_above(tree.parent, chosen)
        members.append(tree.order)
        spans.append(tree.spans[chosen] + superpixels)
        parents.append(np.where(above >= 0, above + nodes, -1))
        source += [name] * len(chosen)
        superpixels += len(tree.order)
        nodes += len(chosen)
    joined = [np.concatenate(parts) for parts in (members, spans, parents)]
    return RegionTree(labels, step, size, joined[0], joined[1], joined[2], np.array(source, np.str_))


def _sums(values: NDArray[Whole], tree: Hierarchy) -> NDArray[Whole]:
    """Sum over the superpixels of every node; it may run over, as differences run back."""
    before = np.zeros(len(values) + 1, values.dtype)
    np.cumsum(values[tree.order], out=before[1:])
    return np.asarray(before[tree.spans[:, 1]] - before[tree.spans[:, 0]], values.dtype)


@compiled
def _kept_above(parent: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place among the nodes kept of the nearest one above each of them; -1 where there is none."""
    place = np.full(len(parent), -1, np.int64)
    place[kept] = np.arange(len(kept))
    nearest = np.full(len(parent), -1, np.int64)  # the nearest one kept, from a node itself upwards
    for node in range(len(parent) - 1, -1, -1):
        above = nearest[parent[node]] if parent[node] >= 0 else -1
        nearest[node] = place[node] if place[node] >= 0 else above
    return np.array([nearest[parent[node]] if parent[node] >= 0 else -1 for node in kept], np.int64)
