"""Logits resized to the image row by row, and what is seen there: class and entropy. Compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled
from oodretrieval.segments.pixels import best_classes, disperse, normalise, strip_length

_LEVELS = np.float32(255)
_HALF = np.float32(0.5)


@compiled
def hold_rows(
    logits: NDArray[Any],
    columns: Any,
    wanted: Any,
    upper: NDArray[Any],
    lower: NDArray[Any],
    held: NDArray[Any],
) -> Any:
    """Widen the two rows of logits that a row of the image is mixed from, unless they are held already.

    Args:
        logits: ``(C, h, w)`` float32.
        columns: For every column of the image the one of the logits left and right, and the right one's weight.
        wanted: Row of the logits above and below.
        upper: Two rows that are held, ``(C, W)`` each.
        lower: The second.
        held: Which rows these are, ``(2,)``, -1 for none; changed.

    Returns:
        The row above and the row below, ``(C, W)`` each, in the memory of ``upper`` and ``lower``.
    """
    if wanted[0] == held[1]:
        upper, lower, held[0], held[1] = lower, upper, held[1], held[0]
    if wanted[0] != held[0]:
        held[0] = wanted[0]
        _widen(logits, held[0], columns, upper)
    if wanted[1] != held[1]:
        held[1] = wanted[1]
        _widen(logits, held[1], columns, lower)
    return upper, lower


@compiled
def _widen(logits: NDArray[Any], y: int, columns: Any, result: NDArray[Any]) -> None:
    left, right, weight = columns
    for k in range(logits.shape[0]):
        source, target = logits[k, y], result[k]
        for x in range(target.size):
            target[x] = source[left[x]] * (np.float32(1) - weight[x]) + source[right[x]] * weight[x]


@compiled
def mix(
    upper: NDArray[Any], lower: NDArray[Any], weight: Any, start: int, count: int, strip: NDArray[Any]
) -> None:
    """Logits of a strip of pixels from the rows above and below.

    Args:
        upper: Row above, ``(C, W)``.
        lower: Row below, ``(C, W)``.
        weight: Weight of the row below.
        start: First pixel.
        count: Number of pixels.
        strip: Result, ``(C, N)``.
    """
    rest = np.float32(1) - weight
    for k in range(upper.shape[0]):
        above, below, row = upper[k, start : start + count], lower[k, start : start + count], strip[k]
        for x in range(count):
            row[x] = above[x] * rest + below[x] * weight


@compiled
def predict_rows(
    logits: NDArray[Any], rows: Any, columns: Any, chosen: NDArray[Any], entropy: NDArray[Any]
) -> None:
    """First argmax and entropy of every pixel of some rows.

    Args:
        logits: ``(C, h', w')`` float32.
        rows: For every row of the block the row of the logits above and below, and the lower one's weight.
        columns: The same for the columns.
        chosen: Result, ``(h, W)`` int32.
        entropy: Result, ``(h, W)`` uint8, over ``ln C`` times 255; none is computed where it is empty.
    """
    classes, width = logits.shape[0], chosen.shape[1]
    length = strip_length(classes)
    strip, total = np.empty((classes, length), np.float32), np.empty(length)
    heat, scores = np.empty((3, length), np.float32), np.empty((2, length), np.float32)
    upper, lower = np.empty((classes, width), np.float32), np.empty((classes, width), np.float32)
    held = np.full(2, -1)
    for y in range(chosen.shape[0]):
        upper, lower = hold_rows(logits, columns, (rows[0][y], rows[1][y]), upper, lower, held)
        for x in range(0, width, length):
            best = chosen[y, x : x + length]
            mix(upper, lower, rows[2][y], x, best.size, strip)
            best_classes(strip, classes, best, heat[0])
            if entropy.size > 0:
                normalise(strip, classes, best.size, scores, total)
                disperse(strip, classes, best.size, heat, total)
                for u in range(best.size):
                    level = heat[0, u] * _LEVELS + _HALF
                    entropy[y, x + u] = np.uint8(min(max(level, np.float32(0)), _LEVELS))
