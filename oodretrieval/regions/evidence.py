"""What speaks for a region being an unknown object: maps pooled over it and over its ring, and its shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from oodretrieval.compilation import compiled
from oodretrieval.regions.description import cell_means, means, resized
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
    steps = _steps(labels, max(1, round(ring * labels.size**0.5)))
    weight, sums = _outward(tree, steps, values)
    outside = sums / np.maximum(weight, 1)[:, None]
    return Evidence(inside, np.where(weight[:, None] > 0, outside, inside))


def pool_features(tree: RegionTree, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean of coarse features over every region; a pixel takes the vector of the cell that it lies in.

    Args:
        tree: The regions.
        features: ``(D, h, w)`` of the whole image, at any stride.

    Returns:
        ``(m, D)``.
    """
    sums = tree.superpixel_areas[:, None] * cell_means(tree.superpixels, features)
    return np.asarray((tree.membership @ sums) / (tree.membership @ tree.superpixel_areas)[:, None])


def _steps(labels: NDArray[np.int32], width: int) -> csr_array:
    """How many steps of a width, in eight directions, lead from each superpixel into each other one, ``(n, n)``."""
    number = int(labels.max()) + 1
    ends = []
    for y, x in ((0, width), (width, 0), (width, width), (width, -width)):
        here = labels[: len(labels) - y, max(0, -x) : labels.shape[1] - max(0, x)]
        there = labels[y:, max(0, x) : labels.shape[1] - max(0, -x)]
        apart = here != there
        ends.append(np.stack([here[apart], there[apart]]))
    one, other = np.concatenate(ends, axis=1)
    one_way = coo_array((np.ones(len(one)), (one, other)), (number, number)).tocsr()
    return csr_array(one_way + one_way.T)


def _outward(
    tree: RegionTree, steps: csr_array, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps that lead out of each region ``(m,)``, and the sum of the values ``(n, K)`` where they end ``(m, K)``."""
    weight, sums = _leave(tree.members, tree.spans, steps.indptr, steps.indices, steps.data, values)
    return np.asarray(weight, np.float64), np.asarray(sums, np.float64)


@compiled
def _leave(members: Any, spans: Any, starts: Any, ends: Any, counts: Any, values: Any) -> Any:
    number, maps = values.shape
    weight, sums = np.zeros(len(spans)), np.zeros((len(spans), maps))
    inside = np.full(number, -1, np.int64)
    for region in range(len(spans)):
        own = members[spans[region, 0] : spans[region, 1]]
        for member in own:
            inside[member] = region
        for member in own:
            for at in range(starts[member], starts[member + 1]):
                if inside[ends[at]] != region:
                    weight[region] += counts[at]
                    for k in range(maps):
                        sums[region, k] += counts[at] * values[ends[at], k]
    return weight, sums


def region_shapes(tree: RegionTree) -> dict[str, NDArray[np.float64]]:
    """Size and shape of every region: each ``(m,)``.

    Args:
        tree: ``m`` regions.

    Returns:
        ``share`` of the image's area; ``fill``: share of its box; ``height`` and ``width`` of the box, ``top`` and
        ``bottom``, as shares of the image's; ``sides``: how many sides of the image the box touches, 0…4;
        ``perimeter``: pairs of neighbours across its border, over the root of its area.
    """
    height, width = tree.size
    left, top, right, bottom = tree.boxes.T.astype(np.float64)
    areas = tree.areas.astype(np.float64)
    sides = (left == 0).astype(float) + (top == 0) + (right == width) + (bottom == height)
    out, _ = _outward(tree, _steps(tree.superpixels, 1), np.zeros((len(tree.superpixel_areas), 0)))
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
