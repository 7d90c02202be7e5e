"""What superpixels look like: the vectors that hierarchies compare."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2lab

from oodretrieval.bilinear import bilinear_taps, resize_axis
from oodretrieval.compilation import compiled
from oodretrieval.directions import leading_axes
from oodretrieval.places import cells_of_pixels
from oodretrieval.uncertainty import softmax_and_energy

SMOOTHING = 0.8
"""Standard deviation of the Gaussian over colours, in cells; Felzenszwalb and Huttenlocher's."""

_COMPONENTS = 16
_SKETCH = 128


def smooth_colours(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colours in CIE L*a*b*, slightly smoothed.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        ``(H, W, 3)``.
    """
    lab = rgb2lab(image.astype(np.float32) / 255).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(lab, (SMOOTHING, SMOOTHING, 0)), np.float32)


def shrunk(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Means over blocks of ``step × step`` pixels; those that reach over the border repeat its pixels.

    Args:
        image: ``(H, W, 3)`` uint8.
        step: Pixels along the side of a block, >= 1.

    Returns:
        ``(H / step, W / step, 3)``, rounded up.
    """
    if step == 1:
        return image
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, 3)
    return np.asarray(blocks.sum(axis=(1, 3), dtype=np.uint32) // step**2, np.uint8)


def texture(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much lightness changes at two scales, and along which direction.

    Args:
        colours: CIE L*a*b*, ``(H, W, 3)``.

    Returns:
        ``(H, W, 4)``, roughly in units of L*: change in any direction, down, across, and against a mean of
        9×9.
    """
    light = colours[..., 0]
    down, across = ndimage.sobel(light, 0) / 4, ndimage.sobel(light, 1) / 4
    coarse = np.abs(light - ndimage.uniform_filter(light, 9))
    return np.stack([np.hypot(down, across), np.abs(down), np.abs(across), coarse], axis=2)


def means(labels: NDArray[np.integer], maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean of maps over each superpixel.

    Args:
        labels: Superpixel of every pixel, ``(H, W)``, 0…n - 1.
        maps: ``(H, W, K)``.

    Returns:
        ``(n, K)``.
    """
    channels = np.ascontiguousarray(maps).reshape(labels.size, -1)
    sums, areas = _sums(np.ascontiguousarray(labels).ravel(), channels)
    return np.asarray(sums / areas[:, None], np.float64)


@compiled
def _sums(labels: Any, values: Any) -> Any:
    number, depth = labels.max() + 1, values.shape[1]
    sums, areas = np.zeros((number, depth)), np.zeros(number)
    for pixel in range(len(labels)):
        label = labels[pixel]
        areas[label] += 1
        for k in range(depth):
            sums[label, k] += values[pixel, k]
    return sums, areas


def cell_means(labels: NDArray[np.integer], features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean of coarse features over each superpixel; a pixel takes the cell that it lies in.

    Args:
        labels: Superpixel of every pixel, ``(H, W)``, 0…n - 1.
        features: ``(D, h, w)``.

    Returns:
        ``(n, D)``.
    """
    cells = cells_of_pixels(labels.shape, features.shape[1:])
    of_cells = np.ascontiguousarray(features.reshape(len(features), -1).T, np.float64)
    sums, areas = _cell_sums(np.ascontiguousarray(labels), cells, of_cells)
    return np.asarray(sums / areas[:, None], np.float64)


@compiled
def _cell_sums(labels: Any, cells: Any, features: Any) -> Any:
    number, depth = labels.max() + 1, features.shape[1]
    sums, areas = np.zeros((number, depth)), np.zeros(number)
    height, width = labels.shape
    for y in range(height):
        first = 0
        for x in range(width):
            label, cell = labels[y, x], cells[y, x]
            if x + 1 < width and labels[y, x + 1] == label and cells[y, x + 1] == cell:
                continue  # the same superpixel and cell go on
            length = x + 1 - first
            areas[label] += length
            for k in range(depth):
                sums[label, k] += length * features[cell, k]
            first = x + 1
    return sums, areas


def resized(maps: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize bilinearly, pixel centres on pixel centres.

    Args:
        maps: ``(K, h, w)``.
        size: H, W.

    Returns:
        ``(K, H, W)``.
    """
    result = np.asarray(maps, np.float32)
    for axis, target in enumerate(size, 1):
        taps = bilinear_taps(result.shape[axis], target, False, precision=np.float64)
        weight = np.where(taps.low < taps.high, taps.weight, np.float32(0))  # a value by itself is not mixed
        result = resize_axis(result, axis, taps._replace(weight=weight))
    return result


def class_probabilities(
    logits: NDArray[np.floating], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Softmax and energy of logits, which are resized first.

    Args:
        logits: ``(C, h, w)``.
        size: H, W.

    Returns:
        Softmax ``(H, W, C)`` and ``-logsumexp`` ``(H, W)``.
    """
    softmax, heat = softmax_and_energy(resized(logits, size), axis=0)
    return softmax.transpose(1, 2, 0), heat


def principal(features: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    """The leading principal components of features.

    Many channels are projected to 128 at random before.

    Args:
        features: ``(D, h, w)``.
        seed: Of the random projection.

    Returns:
        ``(k, h, w)``, scaled so that the squares of a position sum to 1 on average.
    """
    flat = features.reshape(len(features), -1).T.astype(np.float64)
    if flat.shape[1] > _SKETCH:
        flat = flat @ np.random.default_rng(seed).standard_normal((flat.shape[1], _SKETCH))
    flat = flat - flat.mean(axis=0)
    projected = flat @ leading_axes(flat, _COMPONENTS)
    scale = np.sqrt((projected**2).sum(axis=1).mean())
    return np.asarray((projected / (scale or 1.0)).T.reshape(-1, *features.shape[1:]), np.float32)
