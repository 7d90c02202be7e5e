"""Connected components by horizontal runs and union-find. Compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, root

NO_PIXEL = -1
"""In maps of classes that kernels read: a pixel of no class."""


@compiled
def label_runs(classes: NDArray[Any], ids: NDArray[Any]) -> int:
    """Number the 8-connected components of equal class in raster-scan order.

    Args:
        classes: ``(H, W)`` int32; :data:`NO_PIXEL` belongs to no component.
        ids: Result, ``(H, W)`` int32: 1…n, 0 for no component.

    Returns:
        n.
    """
    height = classes.shape[0]
    number = _count_runs(classes)
    first, last = np.empty(number, np.int32), np.empty(number, np.int32)
    parent = np.arange(number).astype(np.int32)
    bounds = np.zeros(height + 1, np.int64)
    for y in range(height):
        bounds[y + 1] = _find_runs(classes[y], first, last, bounds[y])
        if y > 0:
            _join(classes[y - 1], classes[y], first, last, parent, bounds[y - 1 : y + 2])
    return _number_runs(ids, first, last, parent, bounds)


@compiled
def _count_runs(classes: NDArray[Any]) -> int:
    number = 0
    for y in range(classes.shape[0]):
        row = classes[y]
        changes = np.int32(row[0] != NO_PIXEL)
        for x in range(1, row.size):
            changes += np.int32(row[x] != row[x - 1]) & np.int32(row[x] != NO_PIXEL)
        number += int(changes)
    return number


@compiled
def _find_runs(row: NDArray[Any], first: NDArray[Any], last: NDArray[Any], at: int) -> int:
    """Write first and last pixel of every run; returns where the next row's runs begin."""
    x = 0
    while x < row.size:
        value, start = row[x], x
        while x < row.size and row[x] == value:
            x += 1
        if value != NO_PIXEL:
            first[at], last[at] = start, x - 1
            at += 1
    return at


@compiled
def _join(
    upper: NDArray[Any],
    lower: NDArray[Any],
    first: NDArray[Any],
    last: NDArray[Any],
    parent: NDArray[Any],
    bounds: NDArray[Any],
) -> None:
    """Unite runs with those of the row above; ``bounds``: where the runs above, these, the next ones begin."""
    above, begin, end = bounds[0], bounds[1], bounds[2]
    j = above
    for i in range(begin, end):
        while j < begin and last[j] < first[i] - 1:
            j += 1
        k = j
        while k < begin and first[k] <= last[i] + 1:
            if upper[first[k]] == lower[first[i]]:
                a, b = root(parent, k), root(parent, i)
                # The earlier run stays root, which makes ids follow the raster scan.
                parent[max(a, b)] = min(a, b)
            k += 1


@compiled
def _number_runs(
    ids: NDArray[Any], first: NDArray[Any], last: NDArray[Any], parent: NDArray[Any], bounds: NDArray[Any]
) -> int:
    number = 0
    for i in range(parent.size):
        # Parents come before their children, so they have their number already.
        if parent[i] == i:
            number += 1
            parent[i] = number
        else:
            parent[i] = parent[parent[i]]
    for y in range(ids.shape[0]):
        row = ids[y]
        row[:] = 0
        for i in range(bounds[y], bounds[y + 1]):
            row[first[i] : last[i] + 1] = parent[i]
    return number
