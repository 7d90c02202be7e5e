"""Counts and sums of the segments in a region, that is a block of whole rows. Compiled.

A region numbers the segments that it shows, its **slots**, so that it needs memory for these only. Regions
do not depend on each other: any thread may do any of them, and adding them up in order gives one result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.compilation import compiled, inlined
from oodretrieval.segments.labelling import NO_PIXEL
from oodretrieval.segments.pixels import disperse, normalise, strip_length

COUNTS = 4
"""Columns of the counts: pixels inside, pixels on the boundary, sum of rows, sum of columns."""
HEAT, SCORES = 12, 4
"""Columns of the sums after the classes: E, D, V and their squares inside, then on the boundary; then largest
logit and logsumexp inside and on the boundary, where logits are at hand."""

_INNER, _OUTER = 0, 6


@compiled
def find_slots(classes: NDArray[Any], ids: NDArray[Any], number: int) -> Any:
    """Number the segments of a region in the order of their appearance.

    Args:
        classes: Classes of the region's pixels, ``(h, W)``.
        ids: Their segments, ``(h, W)``, 0 for none.
        number: Largest id.

    Returns:
        Slot of every id, ``(number + 1,)``, -1 for ids that do not occur; id and class of every slot.
    """
    slots = np.full(number + 1, -1, np.int32)
    present, kinds = np.empty(min(number, ids.size), np.int32), np.empty(min(number, ids.size), np.int32)
    length = 0
    for y in range(ids.shape[0]):
        before = 0
        for x in range(ids.shape[1]):
            i = ids[y, x]
            if i != before and i > 0 and slots[i] < 0:
                slots[i] = length
                present[length] = i
                kinds[length] = classes[y, x]
                length += 1
            before = i
    return slots, present[:length].copy(), kinds[:length].copy()


@compiled
def mark_boundary(
    classes: NDArray[Any],
    ids: NDArray[Any],
    top: int,
    slots: NDArray[Any],
    signed: NDArray[Any],
    counts: NDArray[Any],
    neighbours: NDArray[Any],
) -> None:
    """Find the boundary of a region, and count its pixels and their neighbours.

    Args:
        classes: Classes of the whole image, ``(H, W)``.
        ids: Ids of the region, ``(h, W)``.
        top: First row of the region.
        slots: As :func:`find_slots` gives them.
        signed: Result, ``(h, W)``: ids, negated on the boundary.
        counts: Result, (m, :data:`COUNTS`); zeros before.
        neighbours: Result, ``(m, C + 1)``: neighbours of another class by class, the last of no class.
    """
    height, width = classes.shape
    flags = np.empty(width, np.uint8)
    for r in range(ids.shape[0]):
        y, row = top + r, ids[r]
        flags[:] = 0
        for other in range(max(y - 1, 0), min(y + 2, height)):
            _compare(classes[y], classes[other], flags)
        x = 0
        while x < width:
            i, flag, start = row[x], flags[x], x
            while x < width and row[x] == i and flags[x] == flag:
                x += 1
            signed[r, start:x] = -i if flag else i
            if i > 0:
                slot = slots[i]
                counts[slot, flag] += x - start
                counts[slot, 2] += (x - start) * y
                counts[slot, 3] += (x - start) * (start + x - 1) // 2
                if flag:
                    for u in range(start, x):
                        _count_neighbours(classes, y, u, neighbours[slot])


@inlined
def _compare(row: NDArray[Any], other: NDArray[Any], flags: NDArray[Any]) -> None:
    for x in range(row.size):
        flags[x] |= np.uint8(row[x] != other[x])
    for x in range(1, row.size):
        flags[x] |= np.uint8(row[x] != other[x - 1])
    for x in range(row.size - 1):
        flags[x] |= np.uint8(row[x] != other[x + 1])


@inlined
def _count_neighbours(classes: NDArray[Any], y: int, x: int, neighbours: NDArray[Any]) -> None:
    own = classes[y, x]
    for v in range(max(y - 1, 0), min(y + 2, classes.shape[0])):
        for u in range(max(x - 1, 0), min(x + 2, classes.shape[1])):
            other = classes[v, u]
            if other != own:
                neighbours[other if other != NO_PIXEL else neighbours.size - 1] += 1


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
    """Sum softmax and dispersion over the segments of a region.

    Args:
        flat: Memory of the softmax, float32.
        start: Where the region's first pixel's first class lies.
        steps: Distance from row to row, pixel to pixel and class to class; one of the last two is 1.
        top: First row of the region.
        heat: Entropy, probability difference and variation ratio of the whole image, ``(3, H, W)`` float32.
        signed: Signed ids of the region, ``(h, W)``.
        slots: As :func:`find_slots` gives them.
        sums: Result, (m, C + :data:`HEAT`); zeros before.
    """
    classes = sums.shape[1] - HEAT
    for y in range(signed.shape[0]):
        at = start + y * steps[0]
        _add_classes(flat, at, (steps[1], steps[2]), signed[y], slots, sums, classes)
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
    """Sum softmax, dispersion and scores over the segments of a region, from logits of another size.

    Args:
        logits: ``(C, h', w')`` float32.
        rows: For every row of the region the row of the logits above and below, and the lower one's weight.
        columns: The same for the columns.
        signed: Signed ids of the region, ``(h, W)``.
        slots: As :func:`find_slots` gives them.
        sums: Result, (m, C + :data:`HEAT` + :data:`SCORES`); zeros before.
    """
    classes, width = logits.shape[0], signed.shape[1]
    length = strip_length(classes)
    strip, total = np.empty((classes, length), np.float32), np.empty(length)
    flat = strip.reshape(-1)
    heat, scores = np.empty((3, length), np.float32), np.empty((2, length), np.float32)
    upper, lower = np.empty((classes, width), np.float32), np.empty((classes, width), np.float32)
    held_upper = held_lower = -1
    for y in range(signed.shape[0]):
        if rows[0][y] == held_lower:
            upper, lower, held_upper, held_lower = lower, upper, held_lower, held_upper
        if rows[0][y] != held_upper:
            held_upper = rows[0][y]
            _widen(logits, held_upper, columns, upper)
        if rows[1][y] != held_lower:
            held_lower = rows[1][y]
            _widen(logits, held_lower, columns, lower)
        for x in range(0, width, length):
            ids = signed[y, x : x + length]
            _mix(upper, lower, rows[2][y], x, ids.size, strip)
            normalise(strip, classes, ids.size, scores, total)
            disperse(strip, classes, ids.size, heat, total)
            _add_classes(flat, 0, (1, length), ids, slots, sums, classes)
            _add_heat(heat, ids, slots, sums, classes)
            _add_scores(scores, ids, slots, sums, classes + HEAT)


@compiled
def _widen(logits: NDArray[Any], y: int, columns: Any, result: NDArray[Any]) -> None:
    left, right, weight = columns
    for k in range(logits.shape[0]):
        source, target = logits[k, y], result[k]
        for x in range(target.size):
            target[x] = source[left[x]] * (np.float32(1) - weight[x]) + source[right[x]] * weight[x]


@compiled
def _mix(
    upper: NDArray[Any], lower: NDArray[Any], weight: Any, start: int, count: int, strip: NDArray[Any]
) -> None:
    rest = np.float32(1) - weight
    for k in range(upper.shape[0]):
        above, below, row = upper[k], lower[k], strip[k]
        for x in range(count):
            row[x] = above[start + x] * rest + below[start + x] * weight


@compiled
def _add_classes(
    flat: NDArray[Any],
    at: int,
    steps: Any,
    ids: NDArray[Any],
    slots: NDArray[Any],
    sums: NDArray[Any],
    classes: int,
) -> None:
    """Add the probabilities of a row's pixels; ``steps``: from pixel to pixel and from class to class."""
    eight = np.zeros(8)
    x = 0
    while x < ids.size:
        i, start = abs(ids[x]), x
        while x < ids.size and abs(ids[x]) == i:
            x += 1
        if i == 0:
            continue
        target, first = sums[slots[i]], at + start * steps[0]
        for k in range(0, classes, 8):
            # The last eight overlap those before, so that there are always eight.
            begin = max(min(k, classes - 8), 0)
            if steps[1] == 1 and classes >= 8:
                _sum_eight(flat, first + begin, steps[0], 1, x - start, eight)
            elif classes >= 8:
                _sum_eight(flat, first + begin * steps[1], 1, steps[1], x - start, eight)
            else:
                _sum_few(flat, first, steps, x - start, classes, eight)
            for j in range(k - begin, min(8, classes)):
                target[begin + j] += eight[j]


@inlined
def _sum_eight(flat: NDArray[Any], at: int, step: int, apart: int, count: int, sums: NDArray[Any]) -> None:
    # Eight sums at a time: one alone would wait for its last addition.
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for x in range(count):
        i = at + x * step
        a += flat[i]
        b += flat[i + apart]
        c += flat[i + 2 * apart]
        d += flat[i + 3 * apart]
        e += flat[i + 4 * apart]
        f += flat[i + 5 * apart]
        g += flat[i + 6 * apart]
        h += flat[i + 7 * apart]
    sums[0], sums[1], sums[2], sums[3] = a, b, c, d
    sums[4], sums[5], sums[6], sums[7] = e, f, g, h


@inlined
def _sum_few(flat: NDArray[Any], at: int, steps: Any, count: int, classes: int, sums: NDArray[Any]) -> None:
    for k in range(classes):
        total = 0.0
        for x in range(count):
            total += flat[at + x * steps[0] + k * steps[1]]
        sums[k] = total


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
