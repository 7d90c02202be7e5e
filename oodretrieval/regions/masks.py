"""Masks from elsewhere, which may overlap as they like, as a tree of regions."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.regions.tree import RegionTree


def tree_of_masks(masks: NDArray[np.bool_], size: tuple[int, int], source: str, seed: int = 0) -> RegionTree:
    """The tree of regions whose masks are given; of equal ones the first, empty ones none.

    Its superpixels are the sets of pixels that the same masks hold.

    Args:
        masks: ``(n, H, W)``.
        size: Height and width of the image, in pixels.
        source: What to call where they are from.
        seed: Of the keys by which equal sets are recognised.

    Returns:
        The regions, a smaller one before those around it.

    Raises:
        ValueError: If the masks are of another size.

    Example:
        >>> outer = np.array([[True, True, False]]); inner = np.array([[True, False, False]])
        >>> tree_of_masks(np.stack([outer, inner]), (1, 3), "sam").parent.tolist()
        [1, -1]
    """
    if masks.ndim != 3 or masks.shape[1:] != size:
        raise ValueError(f"expected masks (n, {size[0]}, {size[1]}), got {masks.shape}")
    # Two sets of masks with one sum of such keys are one set, but for one chance in 2^64.
    keys = np.random.default_rng(seed).integers(0, 2**64, len(masks), dtype=np.uint64)
    digest = np.zeros(size, np.uint64)
    for mask, key in zip(masks, keys, strict=True):
        digest[mask] += key
    _, first, labels = np.unique(digest, return_index=True, return_inverse=True)
    inside = masks.reshape(len(masks), size[0] * size[1])[:, first]  # (n, superpixels)
    areas = inside @ np.bincount(labels.ravel())
    order = np.argsort(areas, kind="stable")
    _, distinct = np.unique(inside[order], axis=0, return_index=True)
    rows = order[np.sort(distinct)]
    rows = rows[areas[rows] > 0]
    members = [np.flatnonzero(inside[row]) for row in rows]
    ends = np.cumsum([0, *map(len, members)])
    return RegionTree(
        superpixels=labels.reshape(size).astype(np.int32),
        step=1,
        size=size,
        members=np.concatenate([*members, np.zeros(0, np.int64)]).astype(np.int32),
        spans=np.stack([ends[:-1], ends[1:]], axis=1).astype(np.int64),
        parent=np.array([_around(inside[rows], place) for place in range(len(rows))], np.int64),
        source=np.full(len(rows), source),
    )


def _around(inside: NDArray[np.bool_], place: int) -> int:
    """The first, and so smallest, later row that holds all of a row; -1 where there is none."""
    later = np.flatnonzero((inside[place + 1 :] >= inside[place]).all(axis=1))
    return int(later[0]) + place + 1 if len(later) else -1
