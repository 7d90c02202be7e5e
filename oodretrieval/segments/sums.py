"""Sums over the segments of a block: softmax, dispersion, scores of logits. Compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, inlined
from oodretrieval.segments.pixels import disperse, normalise, strip_length
from oodretrieval.segments.upsampling import hold_rows, mix

HEAT, SCORES = 12, 4
"""Columns of the sums after the classes: E, D, V and their squares inside, then on the boundary; then largest
logit and logsumexp inside and on the boundary, where logits are at hand."""

_INNER, _OUTER = 0, 6


@compiled
def sum_softmax(
    flat: NDArray[Any],
    start: int,
    steps: Any,
    top: int,
    heat: NDArray[Any],
    signed: NDArray[Any],
    slots: NDArray[Any],
    sums: NDArray[Any],
) -> None:
    """Sum softmax and dispersion over the segments of a block.

    Args:
        flat: Memory of the softmax, float32.
        start: Where the block's first pixel's first class lies.
        steps: Distance from row to row, pixel to pixel and class to class; one of the last two is 1.
        top: First row of the block.
        heat: Entropy, probability difference and variation ratio of the whole image, ``(3, H, W)`` float32.
        signed: Signed ids of the block, ``(h, W)``.
        slots: As :func:`~oodretrieval.segments.row_blocks.find_slots` gives them.
        sums: Result, (m, C + :data:`HEAT`); zeros before.
    """
    classes = sums.shape[1] - HEAT
    for y in range(signed.shape[0]):
        at = start + y * steps[0]
        if steps[2] == 1:
            _add_pixels(flat[at : at + signed.shape[1] * classes], classes, signed[y], slots, sums)
        else:
            _add_strip(flat, at, steps[2], classes, signed[y], slots, sums)
        _add_heat(heat[:, top + y], signed[y], slots, sums, classes)


@compiled
def sum_logits(
    logits: NDArray[Any],
    rows: Any,
    columns: Any,
    signed: NDArray[Any],
    slots: NDArray[Any],
    sums: NDArray[Any],
) -> None:
    """Sum softmax, dispersion and scores over the segments of a block, from logits of another size.

    Args:
        logits: ``(C, h', w')`` float32.
        rows: For every row of the block the row of the logits above and below, and the lower one's weight.
        columns: The same for the columns.
        signed: Signed ids of the block, ``(h, W)``.
        slots: As :func:`~oodretrieval.segments.row_blocks.find_slots` gives them.
        sums: Result, (m, C + :data:`HEAT` + :data:`SCORES`); zeros before.
    """
    classes, width = logits.shape[0], signed.shape[1]
    length = strip_length(classes)
    strip, total = np.empty((classes, length), np.float32), np.empty(length)
    flat = strip.reshape(-1)
    heat, scores = np.empty((3, length), np.float32), np.empty((2, length), np.float32)
    upper, lower = np.empty((classes, width), np.float32), np.empty((classes, width), np.float32)
    held = np.full(2, -1)
    for y in range(signed.shape[0]):
        upper, lower = hold_rows(logits, columns, (rows[0][y], rows[1][y]), upper, lower, held)
        for x in range(0, width, length):
            ids = signed[y, x : x + length]
            mix(upper, lower, rows[2][y], x, ids.size, strip)
            normalise(strip, classes, ids.size, scores, total)
            disperse(strip, classes, ids.size, heat, total)
            _add_strip(flat, 0, length, classes, ids, slots, sums)
            _add_heat(heat, ids, slots, sums, classes)
            _add_scores(scores, ids, slots, sums, classes + HEAT)


@compiled
def _add_pixels(
    pixels: NDArray[Any], classes: int, ids: NDArray[Any], slots: NDArray[Any], sums: NDArray[Any]
) -> None:
    """Add the probabilities of a row whose classes lie side by side."""
    total = np.empty(classes)
    x = 0
    while x < ids.size:
        i = abs(ids[x])
        total[:] = 0
        while x < ids.size and abs(ids[x]) == i:
            pixel = pixels[x * classes : (x + 1) * classes]
            for k in range(classes):
                total[k] += pixel[k]
            x += 1
        if i > 0:
            target = sums[slots[i]]
            for k in range(classes):
                target[k] += total[k]


@compiled
def _add_strip(
    flat: NDArray[Any],
    at: int,
    apart: int,
    classes: int,
    ids: NDArray[Any],
    slots: NDArray[Any],
    sums: NDArray[Any],
) -> None:
    """Add the probabilities of a row whose pixels lie side by side, the classes ``apart`` from each other."""
    eight = np.zeros(8)
    x = 0
    while x < ids.size:
        i, start = abs(ids[x]), x
        while x < ids.size and abs(ids[x]) == i:
            x += 1
        if i == 0:
            continue
        target, first = sums[slots[i]], at + start
        for k in range(0, classes - 7, 8):
            _sum_eight(flat, first + k * apart, apart, x - start, eight)
            for j in range(8):
                target[k + j] += eight[j]
        for k in range(classes // 8 * 8, classes):
            total = 0.0
            for u in range(x - start):
                total += flat[np.uintp(first + k * apart + u)]
            target[k] += total


@inlined
def _sum_eight(flat: NDArray[Any], at: int, apart: int, count: int, sums: NDArray[Any]) -> None:
    # Eight sums at a time: one alone would wait for its last addition. Unsigned indices do not ask whether
    # they count from the end.
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(at, at + count):
        a += flat[np.uintp(i)]
        b += flat[np.uintp(i + apart)]
        c += flat[np.uintp(i + 2 * apart)]
        d += flat[np.uintp(i + 3 * apart)]
        e += flat[np.uintp(i + 4 * apart)]
        f += flat[np.uintp(i + 5 * apart)]
        g += flat[np.uintp(i + 6 * apart)]
        h += flat[np.uintp(i + 7 * apart)]
    sums[0], sums[1], sums[2], sums[3] = a, b, c, d
    sums[4], sums[5], sums[6], sums[7] = e, f, g, h


@compiled
def _add_heat(
    heat: NDArray[Any], ids: NDArray[Any], slots: NDArray[Any], sums: NDArray[Any], at: int
) -> None:
    x = 0
    while x < ids.size:
        i = ids[x]
        e, d, v, ee, dd, vv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        while x < ids.size and ids[x] == i:
            p, q, r = np.float64(heat[0, x]), np.float64(heat[1, x]), np.float64(heat[2, x])
            e, d, v = e + p, d + q, v + r
            ee, dd, vv = ee + p * p, dd + q * q, vv + r * r
            x += 1
        if i != 0:
            target = sums[slots[abs(i)]]
            first = at + (_INNER if i > 0 else _OUTER)
            for j, value in enumerate((e, d, v, ee, dd, vv)):
                target[first + j] += value


@compiled
def _add_scores(
    scores: NDArray[Any], ids: NDArray[Any], slots: NDArray[Any], sums: NDArray[Any], at: int
) -> None:
    x = 0
    while x < ids.size:
        i = ids[x]
        largest, energy = 0.0, 0.0
        while x < ids.size and ids[x] == i:
            largest += scores[0, x]
            energy += scores[1, x]
            x += 1
        if i != 0:
            target = sums[slots[abs(i)]]
            first = at + (0 if i > 0 else 2)
            target[first] += largest
            target[first + 1] += energy
