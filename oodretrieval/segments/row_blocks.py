"""Which segments a block of whole rows shows, and where their boundary is. Compiled.

A block numbers the segments that it shows, its **slots**, so that it needs memory for these only. Blocks
do not depend on each other: any thread may do any of them, and adding them up in order gives one result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, inlined
from oodretrieval.segments.labelling import NO_PIXEL

COUNTS = 4
"""Columns of the counts: pixels inside, pixels on the boundary, sum of rows, sum of columns."""


@compiled
def find_slots(classes: NDArray[Any], ids: NDArray[Any], number: int) -> Any:
    """Number the segments of a block in the order of their appearance.

    Args:
        classes: Classes of the block's pixels, ``(h, W)``.
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
    """Find the boundary of a block, and count its pixels and their neighbours.

    Args:
        classes: Classes of the whole image, ``(H, W)``.
        ids: Ids of the block, ``(h, W)``.
        top: First row of the block.
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
