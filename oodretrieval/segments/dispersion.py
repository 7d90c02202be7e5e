"""Pixel dispersion: how undecided the classifier is at every pixel.

Source: Rottmann et al., "Prediction error meta classification in semantic segmentation", arXiv:1811.00648.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.compilation import compiled
from oodretrieval.segments.pixels import best_classes, disperse, gather
from oodretrieval.segments.sources import Softmax, for_blocks
from oodretrieval.segments.sums import strip_length


def entropy(probabilities: NDArray[np.floating], *, threads: int | None = None) -> NDArray[np.float32]:
    """Entropy of every pixel over ``ln C``.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1.
        threads: Threads to use at most, None for all cores.

    Returns:
        ``(H, W)``, unitless: 0 certain, 1 uniform.

    Raises:
        ValueError: If ``probabilities`` is no softmax of shape ``(H, W, C >= 2)``.

    Example:
        >>> (entropy(np.array([[[0.5, 0.5], [1.0, 0.0]]])).round(4) + 0).tolist()
        [[1.0, 0.0]]
    """
    return pixel_dispersion(probabilities, threads=threads)["E"]


def pixel_dispersion(
    probabilities: NDArray[np.floating], *, threads: int | None = None
) -> dict[str, NDArray[np.float32]]:
    """The three dispersion measures of every pixel.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1. A view of ``(C, H, W)`` in memory, as
            ``np.moveaxis`` makes it, is read where it lies, too.
        threads: Threads to use at most, None for all cores.

    Returns:
        Three maps ``(H, W)``: ``"E"`` entropy over ``ln C`` (0 certain … 1 uniform), ``"D"`` probability
        difference ``1 - p1 + p2`` (0…1), ``"V"`` variation ratio ``1 - p1`` (0…1 - 1/C), where ``p1 >= p2``
        are the two largest probabilities.

    Raises:
        ValueError: If ``probabilities`` is no softmax of shape ``(H, W, C >= 2)``.

    Source:
        Rottmann et al., arXiv:1811.00648.

    Example:
        >>> maps = pixel_dispersion(np.array([[[0.75, 0.25]]]))
        >>> maps["D"].item(), maps["V"].item()
        (0.5, 0.25)
    """
    source = Softmax(probabilities)
    maps = np.empty((3, source.height, source.width), np.float32)

    def measure(top: int, bottom: int) -> bool:
        flat, start, steps = source.block(top, bottom)
        return _disperse_rows(flat, start, steps, source.classes, maps[:, top:bottom])

    for good in for_blocks(measure, source.height, threads):
        source.require(good)
    return dict(zip("EDV", maps, strict=True))


def predicted_classes(source: Softmax, threads: int | None) -> NDArray[np.int32]:
    """The first class of largest probability.

    Args:
        source: The softmax.
        threads: Threads to use at most, None for all cores.

    Returns:
        ``(H, W)``.
    """
    classes = np.empty((source.height, source.width), np.int32)

    def find(top: int, bottom: int) -> None:
        flat, start, steps = source.block(top, bottom)
        _choose_rows(flat, start, steps, source.classes, classes[top:bottom])

    for _ in for_blocks(find, source.height, threads):
        pass
    return classes


@compiled
def _disperse_rows(flat: Any, start: int, steps: Any, classes: int, maps: NDArray[Any]) -> bool:
    length = strip_length(classes)
    strip, total = np.empty((classes, length), np.float32), np.empty(length)
    heat, good = np.empty((3, length), np.float32), True
    for y in range(maps.shape[1]):
        for x in range(0, maps.shape[2], length):
            count = min(length, maps.shape[2] - x)
            at = start + y * steps[0] + x * steps[1]
            gather(flat, at, (steps[1], steps[2]), classes, count, strip)
            good &= disperse(strip, classes, count, heat, total)
            maps[:, y, x : x + count] = heat[:, :count]
    return good


@compiled
def _choose_rows(flat: Any, start: int, steps: Any, classes: int, chosen: NDArray[Any]) -> None:
    length = strip_length(classes)
    strip, first = np.empty((classes, length), np.float32), np.empty(length, np.float32)
    for y in range(chosen.shape[0]):
        for x in range(0, chosen.shape[1], length):
            best = chosen[y, x : x + length]
            at = start + y * steps[0] + x * steps[1]
            gather(flat, at, (steps[1], steps[2]), classes, best.size, strip)
            best_classes(strip, classes, best, first)
