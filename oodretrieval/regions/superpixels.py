"""Superpixels: the atoms that regions are made of, and which of them touch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, root

_STEPS = np.iinfo(np.uint16).max


def superpixels(
    colours: NDArray[np.floating],
    *,
    classes: NDArray[np.integer] | None = None,
    scale: float,
    min_size: int,
) -> NDArray[np.int32]:
    """Felzenszwalb and Huttenlocher's graph-based segmentation, which never crosses a border between classes.

    scikit-image's takes 5 to 10 times as long, and knows no classes. As there, every pixel is joined to its eight
    neighbours, and superpixels below ``min_size`` go to the most similar neighbour (of their class) afterwards.

    Args:
        colours: ``(H, W, K)``, any unit.
        classes: Predicted class of every pixel, ``(H, W)``; None for a single one.
        scale: Larger makes larger superpixels; in units of ``colours`` times pixels.
        min_size: Smallest superpixel, in pixels; a predicted segment may be smaller.

    Returns:
        Superpixel of every pixel, ``(H, W)``: 0…n-1, in raster-scan order of their first pixels.

    Raises:
        ValueError: If the arrays do not fit each other or are empty.

    Source:
        Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 59 (2004).

    Example:
        >>> superpixels(np.array([[[0.0], [0.0], [9.0]]]), scale=1.0, min_size=1).tolist()
        [[0, 0, 1]]
    """
    if colours.ndim != 3 or not colours.size or (classes is not None and classes.shape != colours.shape[:2]):
        raise ValueError(
            "expected colours (H, W, K) and classes (H, W), "
            f"got {colours.shape} and {None if classes is None else classes.shape}"
        )
    smooth = np.ascontiguousarray(colours, np.float32)
    same = (
        np.zeros(smooth.shape[:2], np.int32) if classes is None else np.ascontiguousarray(classes, np.int32)
    )
    edges, weights = _edges(smooth, same, _STEPS)
    labels = _join(edges, weights, smooth.shape[0] * smooth.shape[1], smooth.shape[1], scale, min_size)
    return np.asarray(labels, np.int32).reshape(smooth.shape[:2])


@compiled
def _edges(colours: Any, classes: Any, steps: int) -> Any:
    """All neighbours of one class, the most similar first: four times the pixel plus the side, and the difference.

    They are sorted in as many steps; within one they stay in raster-scan order.
    """
    height, width, channels = colours.shape
    weights = np.full((height, width, 4), -1, np.float32)
    largest = np.float32(0.0)
    for y in range(height):
        for x in range(width):
            for side in range(4):  # east, south-west, south, south-east
                v, u = (y, x + 1) if side == 0 else (y + 1, x + side - 2)
                if v < height and 0 <= u < width and classes[y, x] == classes[v, u]:
                    square = np.float32(0.0)
                    for k in range(channels):
                        square += (colours[y, x, k] - colours[v, u, k]) ** 2
                    weights[y, x, side] = np.sqrt(square)
                    largest = max(largest, weights[y, x, side])
    flat = weights.reshape(-1)
    unit = np.float32(steps / largest) if largest > 0 else np.float32(0.0)
    places = np.zeros(steps + 2, np.int64)
    for edge in range(len(flat)):
        if flat[edge] >= 0:
            places[np.int64(flat[edge] * unit) + 1] += 1
    places = np.cumsum(places)
    edges, sorted_weights = np.empty(places[-1], np.int32), np.empty(places[-1], np.float32)
    for edge in range(len(flat)):
        if flat[edge] >= 0:
            step = np.int64(flat[edge] * unit)
            edges[places[step]], sorted_weights[places[step]] = edge, flat[edge]
            places[step] += 1
    return edges, sorted_weights


@compiled
def _join(edges: Any, weights: Any, pixels: int, width: int, scale: float, min_size: int) -> Any:
    parent = np.arange(pixels).astype(np.int32)
    size = np.ones(pixels, np.int32)
    inner = np.full(pixels, scale, np.float32)
    across = (1, width - 1, width, width + 1)
    left = len(edges)
    for last in range(2):
        count, left = left, 0
        for place in range(count):
            edge, weight = edges[place], weights[place]
            pixel = edge // 4
            a, b = root(parent, pixel), root(parent, pixel + across[edge % 4])
            if a == b:
                continue
            joins = min(size[a], size[b]) < min_size if last else weight <= min(inner[a], inner[b])
            if joins:
                a, b = min(a, b), max(a, b)
                parent[b] = a
                size[a] += size[b]
                inner[a] = weight + scale / size[a]
            else:  # what lies within a superpixel need not be visited again
                edges[left], weights[left] = edge, weight
                left += 1
    labels = np.empty(pixels, np.int32)
    number = 0
    for pixel in range(pixels):  # a root is the first pixel of its superpixel
        first_pixel = root(parent, pixel)
        if first_pixel == pixel:
            labels[pixel] = number
            number += 1
        else:
            labels[pixel] = labels[first_pixel]
    return labels


@dataclass(frozen=True, eq=False)
class Contacts:
    """Which superpixels touch, along how many pairs of pixels, and how strong the border there is.

    Attributes:
        pairs: ``(e, 2)`` int64, the smaller number first, each pair once.
        lengths: Pairs of eight-neighbours across the border, ``(e,)``.
        strengths: Mean of the border's strength over them, ``(e,)``, in units of the colours' difference.
    """

    pairs: NDArray[np.int64]
    lengths: NDArray[np.float64]
    strengths: NDArray[np.float64]


def contacts(labels: NDArray[np.integer], colours: NDArray[np.floating]) -> Contacts:
    """Borders between superpixels.

    Args:
        labels: Superpixel of every pixel, ``(H, W)``, 0…n-1.
        colours: ``(H, W, K)``; the difference one step to either side of the border is its strength.

    Returns:
        Every pair of superpixels that hold eight-neighbours.
    """
    return Contacts(
        *_borders(np.ascontiguousarray(labels, np.int32), np.ascontiguousarray(colours, np.float32))
    )


@compiled
def _borders(labels: Any, colours: Any) -> Any:
    """Pairs of superpixels in order, eight-neighbours across their border, and its mean strength."""
    height, width, channels = colours.shape
    number = labels.max() + 1
    starts = np.zeros(number + 1, np.int64)  # of the borders whose smaller number is this one
    for y in range(height):
        for x in range(width):
            for side in range(4):  # east, south-west, south, south-east
                v, u = (y, x + 1) if side == 0 else (y + 1, x + side - 2)
                if v < height and 0 <= u < width and labels[y, x] != labels[v, u]:
                    starts[min(labels[y, x], labels[v, u]) + 1] += 1
    starts = np.cumsum(starts)
    free = starts[:-1].copy()
    others, strengths = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    for y in range(height):
        for x in range(width):
            for side in range(4):
                down, across = (0, 1) if side == 0 else (1, side - 2)
                v, u = y + down, x + across
                if v >= height or not 0 <= u < width or labels[y, x] == labels[v, u]:
                    continue
                before = max(y - down, 0), min(max(x - across, 0), width - 1)
                behind = min(v + down, height - 1), min(max(u + across, 0), width - 1)
                square = np.float32(0.0)
                for k in range(channels):
                    square += (colours[before[0], before[1], k] - colours[behind[0], behind[1], k]) ** 2
                place = free[min(labels[y, x], labels[v, u])]
                free[min(labels[y, x], labels[v, u])] += 1
                others[place], strengths[place] = max(labels[y, x], labels[v, u]), np.sqrt(square)
    return _joined(starts, others, strengths)


@compiled
def _joined(starts: Any, others: Any, strengths: Any) -> Any:
    """The same borders, each pair once."""
    number = len(starts) - 1
    length, strength = np.zeros(number), np.zeros(number)
    pairs = np.empty((len(others), 2), np.int64)
    lengths, means = np.empty(len(others)), np.empty(len(others))
    found = 0
    for one in range(number):
        first = found
        for place in range(starts[one], starts[one + 1]):
            other = others[place]
            if length[other] == 0:
                pairs[found, 0], pairs[found, 1] = one, other
                found += 1
            length[other] += 1
            strength[other] += strengths[place]
        pairs[first:found, 1] = np.sort(pairs[first:found, 1])
        for place in range(first, found):
            other = pairs[place, 1]
            lengths[place], means[place] = length[other], strength[other] / length[other]
            length[other] = strength[other] = 0
    return pairs[:found], lengths[:found], means[:found]
