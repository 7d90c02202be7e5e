"""What speaks for a region being an unknown object: maps pooled over it and over its ring, and its shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from oodretrieval.regions.description import means, resized
from oodretrieval.regions.tree import RegionTree

RING = 0.015
"""Distance of the ring from the region, as a share of the root of the image's area: 6 pixels at 480×360."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Maps pooled over regions.

    Attributes:
        inside: Mean of each map over each region, ``(m, K)``.
        ring: Mean over the pixels around it, ``(m, K)``; that of the inside where nothing lies around.
    """

    inside: NDArray[np.float64]
    ring: NDArray[np.float64]

    @property
    def contrast(self) -> NDArray[np.float64]:
        """How much higher the maps are inside than around, ``(m, K)``."""
        return self.inside - self.ring


def pool_evidence(tree: RegionTree, maps: NDArray[np.floating], *, ring: float = RING) -> Evidence:
    """Means of maps over every region, and over a ring around it.

    The ring is counted in superpixels: each superpixel outside weighs as many steps from the region, of the ring's
    width and in eight directions, as end in it.

    Args:
        tree: The regions.
        maps: ``(K, h, w)`` of the whole image, at any resolution.
        ring: Distance of the ring, as a share of the root of the image's area.

    Returns:
        Means inside and around.
    """
    labels = tree.superpixels
    values = means(labels, resized(maps, (labels.shape[0], labels.shape[1])).transpose(1, 2, 0))
    membership, areas = tree.membership, tree.superpixel_areas
    inside = (membership @ (areas[:, None] * values)) / (membership @ areas)[:, None]
    around = _outward(membership, _steps(labels, max(1, round(ring * labels.size**0.5))))
    weight = np.asarray(around.sum(axis=1))
    outside = (around @ values) / np.maximum(weight, 1)[:, None]
    return Evidence(inside, np.where(weight[:, None] > 0, outside, inside))


def _steps(labels: NDArray[np.int32], width: int) -> csr_array:
    """How many steps of a width, in eight directions, lead from each superpixel into each other one, ``(n, n)``."""
    number = int(labels.max()) + 1
    keys = []
    for y, x in ((0, width), (width, 0), (width, width), (width, -width)):
        here = labels[: len(labels) - y, max(0, -x) : labels.shape[1] - max(0, x)]
        there = labels[y:, max(0, x) : labels.shape[1] - max(0, -x)]
        apart = here != there
        keys.append(here[apart].astype(np.int64) * number + there[apart])
    unique, counts = np.unique(np.concatenate(keys), return_counts=True)
    one_way = coo_array(
        (counts.astype(np.float64), (unique // number, unique % number)), (number, number)
    ).tocsr()
    return csr_array(one_way + one_way.T)


def _outward(membership: csr_array, steps: csr_array) -> csr_array:
    """Steps that lead out of each region into each superpixel, ``(m, n)``."""
    all_steps = membership @ steps
    return csr_array(all_steps - all_steps.multiply(membership))


def region_shapes(tree: RegionTree) -> dict[str, NDArray[np.float64]]:
    """Size and shape of every region: each ``(m,)``.

    Returns:
        ``share`` of the image's area; ``fill``: share of its box; ``height`` and ``width`` of the box, ``top`` and
        ``bottom``, as shares of the image's; ``sides``: how many sides of the image the box touches, 0…4;
        ``perimeter``: pairs of neighbours across its border, over the root of its area.
    """
    height, width = tree.size
    left, top, right, bottom = tree.boxes.T.astype(np.float64)
    areas = tree.areas.astype(np.float64)
    sides = (left == 0).astype(float) + (top == 0) + (right == width) + (bottom == height)
    out = np.asarray(_outward(tree.membership, _steps(tree.superpixels, 1)).sum(axis=1))
    return {
        "share": areas / (height * width),
        "fill": areas / ((right - left) * (bottom - top)),
        "height": (bottom - top) / height,
        "width": (right - left) / width,
        "top": top / height,
        "bottom": bottom / height,
        "sides": sides,
        "perimeter": out * tree.step / np.sqrt(areas),
    }
