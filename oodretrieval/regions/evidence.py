"""What speaks for a region being an unknown object: maps pooled over it and over its ring, and its shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from oodretrieval.compilation import compiled
from oodretrieval.regions.description import cell_means, means, resized
from oodretrieval.regions.tree import RegionTree

RING = 0.015
"""Distance of the ring from the region, as a share of the root of the image's area: 6 pixels at 480×360."""


@dataclass(frozen=True, eq=False)
class PooledEvidence:
    """Maps pooled over regions.

    Attributes:
        inside: Mean of each map over each region, ``(m, K)``.
        ring: Mean over the pixels around it, ``(m, K)``; that of the inside where nothing lies around.
        spread: Standard deviation of each map over the pixels of each region, ``(m, K)``.
    """

    inside: NDArray[np.float64]
    ring: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def contrast(self) -> NDArray[np.float64]:
        """How much higher the maps are inside than around, ``(m, K)``."""
        return self.inside - self.ring


def pool_evidence(tree: RegionTree, maps: NDArray[np.floating], *, ring: float = RING) -> PooledEvidence:
    """Means of maps over every region, and over a ring around it.

    The ring is counted in superpixels: each superpixel outside weighs as many steps from the region, of the ring's
    width and in eight directions, as end in it.

    Args:
        tree: The regions.
        maps: ``(K, h, w)`` of the whole image, at any resolution.
        ring: Distance of the ring, as a share of the root of the image's area.

    Returns:
        Means inside and around, and how much the pixels inside differ.
    """
    labels = tree.superpixels
    pixels = resized(maps, (labels.shape[0], labels.shape[1])).transpose(1, 2, 0)
    usual = pixels.mean(axis=(0, 1), dtype=np.float64)  # taken off, so that squares keep their digits
    values = means(labels, pixels - usual)
    inside = tree.means(values)
    squares = tree.means(means(labels, (pixels - usual) ** 2))
    weight, sums = _outward(tree, max(1, round(ring * labels.size**0.5)), values)
    outside = sums / np.maximum(weight, 1)[:, None]
    ring_means = np.where(weight[:, None] > 0, outside, inside)
    spread = np.sqrt(np.maximum(squares - inside**2, 0))
    return PooledEvidence(inside + usual, ring_means + usual, spread)


def pool_features(tree: RegionTree, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean of coarse features over every region; a pixel takes the vector of the cell that it lies in.

    Args:
        tree: The regions.
        features: ``(D, h, w)`` of the whole image, at any stride.

    Returns:
        ``(m, D)``.
    """
    return tree.means(cell_means(tree.superpixels, features))


def _outward(
    tree: RegionTree, width: int, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps of a width, in eight directions, that lead out of each region, and the sum of the values where they end."""
    weighted = np.concatenate([np.ones((len(values), 1)), values], axis=1)
    starts, ends, counts = _steps(tree.superpixels, len(values), width)
    steps = csr_array((counts, ends, starts), (len(values), len(values)))
    within = _within(tree.members, tree.spans, tree.parent, starts, ends, counts, weighted)
    out = tree.sums(steps @ weighted) - within
    return out[:, 0], out[:, 1:]


@compiled
def _steps(labels: Any, number: int, step: int) -> Any:
    """How many steps lead from each superpixel ``a`` into ``ends[starts[a] : starts[a + 1]]``, which ascend."""
    height, width = labels.shape
    sides = ((0, step), (step, 0), (step, step), (step, -step))
    starts = np.zeros(number + 1, np.int64)
    for y, x in sides:
        for v in range(height - y):
            for u in range(max(0, -x), width - max(0, x)):
                a, b = labels[v, u], labels[v + y, u + x]
                if a != b:
                    starts[a + 1] += 1
                    starts[b + 1] += 1
    starts = np.cumsum(starts)
    free, each = starts[:-1].copy(), np.empty(starts[-1], np.int32)
    for y, x in sides:
        for v in range(height - y):
            for u in range(max(0, -x), width - max(0, x)):
                a, b = labels[v, u], labels[v + y, u + x]
                if a != b:
                    each[free[a]], each[free[b]] = b, a
                    free[a] += 1
                    free[b] += 1
    return _counted(starts, each)


@compiled
def _counted(starts: Any, each: Any) -> Any:
    """The same with each end once, and how often it was there."""
    number = len(starts) - 1
    count, kept = np.zeros(number, np.int64), np.zeros(number + 1, np.int64)
    ends, counts = np.empty(len(each), np.int32), np.empty(len(each), np.float64)
    found = 0
    for a in range(number):
        first = found
        for place in range(starts[a], starts[a + 1]):
            if count[each[place]] == 0:
                ends[found] = each[place]
                found += 1
            count[each[place]] += 1
        ends[first:found] = np.sort(ends[first:found])
        for place in range(first, found):
            counts[place] = count[ends[place]]
            count[ends[place]] = 0
        kept[a + 1] = found
    return kept, ends[:found], counts[:found]


@compiled
def _within(members: Any, spans: Any, parent: Any, starts: Any, ends: Any, counts: Any, values: Any) -> Any:
    """Sum of the values where steps end that begin and end in a region, ``(m, K)``.

    To that of the largest region inside come the steps of what else it holds, so that few are visited twice.
    """
    number, depth = values.shape
    sums, largest = np.zeros((len(spans), depth)), np.full(len(spans), -1)
    inside, known = np.full(number, -1), np.full(number, -1)
    for region in range(len(spans)):
        own, inner = members[spans[region, 0] : spans[region, 1]], largest[region]
        for member in own:
            inside[member] = region
        if inner >= 0:
            sums[region] = sums[inner]
            for member in members[spans[inner, 0] : spans[inner, 1]]:
                known[member] = region
        for member in own:
            if known[member] == region:
                continue
            for place in range(starts[member], starts[member + 1]):
                end = ends[place]
                if inside[end] == region:
                    back = known[end] == region  # nobody else visits the step from there to here
                    for k in range(depth):
                        value = values[end, k] + values[member, k] if back else values[end, k]
                        sums[region, k] += counts[place] * value
        above = parent[region]
        if above >= 0:
            other = largest[above]
            if other < 0 or spans[region, 1] - spans[region, 0] > spans[other, 1] - spans[other, 0]:
                largest[above] = region
    return sums


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
    out, _ = _outward(tree, 1, np.zeros((len(tree.superpixel_areas), 0)))
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
