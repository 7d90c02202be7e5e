"""A tree of regions: every mask is a set of superpixels; its pixels are computed only when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled
from oodretrieval.masks import RunLengthMask, encode_within


@dataclass(frozen=True, eq=False)
class RegionTree:
    """Regions of an image, some inside others. Those of one tree are nested or apart; trees may cross each other.

    Attributes:
        superpixels: Superpixel of every cell of the grid that regions are made on, ``(h, w)`` int32: 0…n-1.
        step: Pixels of the image along the side of a cell.
        size: Height and width of the image, in pixels.
        members: Superpixels of all regions, one after the other; nested ones share places.
        spans: First and last + 1 place in ``members`` of each region, ``(m, 2)``.
        parent: The smallest region of the same tree around each, ``(m,)``; -1 where there is none.
        source: Name of the tree that each region is of, ``(m,)`` text.
    """

    superpixels: NDArray[np.int32]
    step: int
    size: tuple[int, int]
    members: NDArray[np.int32]
    spans: NDArray[np.int64]
    parent: NDArray[np.int64]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        """Regions."""
        return len(self.spans)

    def superpixels_of(self, region: int) -> NDArray[np.int32]:
        """The superpixels of the region numbered ``region``, in no particular order."""
        first, last = self.spans[region]
        return self.members[first:last]

    @property
    def masks(self) -> "RegionMasks":
        """The masks, run-length encoded, in the order of the regions; made when they are taken out."""
        return RegionMasks(self)

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum over the superpixels of each region.

        Args:
            values: Numbers of each superpixel, ``(n,)`` or ``(n, K)``, finite.

        Returns:
            ``(m,)`` or ``(m, K)``.
        """
        columns = np.ascontiguousarray(values.reshape(len(values), -1), np.float64)
        sums = np.asarray(_sums(columns, self.members, self.spans), np.float64)
        return sums.reshape(len(self), *values.shape[1:])

    def means(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Mean over the pixels of each region.

        Args:
            values: Numbers of each superpixel, ``(n, K)``, finite.

        Returns:
            ``(m, K)``.
        """
        return self.sums(self.superpixel_areas[:, None] * values) / self.areas[:, None]

    @cached_property
    def rows_and_columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pixels of the image that each row and each column of the grid stands for, ``(h,)`` and ``(w,)``."""
        height, width = self.superpixels.shape
        ends = [
            np.minimum(np.arange(n + 1) * self.step, total)
            for n, total in zip((height, width), self.size, strict=True)
        ]
        return np.diff(ends[0]), np.diff(ends[1])

    @property
    def at_full_size(self) -> NDArray[np.int32]:
        """The superpixel of every pixel of the image, ``(H, W)``."""
        rows, columns = self.rows_and_columns
        return self.superpixels.repeat(rows, axis=0).repeat(columns, axis=1)

    @cached_property
    def superpixel_areas(self) -> NDArray[np.float64]:
        """Pixels of each superpixel in the image, ``(n,)``."""
        rows, columns = self.rows_and_columns
        weights = (rows[:, None] * columns).astype(np.float64)
        return np.asarray(np.bincount(self.superpixels.ravel(), weights.ravel()), np.float64)

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each region in the image, ``(m,)``."""
        return np.asarray(np.rint(self.sums(self.superpixel_areas)), np.int64)

    @cached_property
    def boxes(self) -> NDArray[np.int64]:
        """Left, top, right, bottom of each region in pixels of the image, half-open; ``(m, 4)``."""
        height, width = self.size
        boxes = np.asarray(_boxes(self.superpixels, self.members, self.spans), np.int64)
        return np.minimum(boxes * self.step, [width, height, width, height])


class RegionMasks(Sequence[RunLengthMask]):
    """The masks of a tree.

    Args:
        tree: The regions.
    """

    def __init__(self, tree: RegionTree) -> None:
        self._tree = tree

    def __len__(self) -> int:
        return len(self._tree)

    @overload
    def __getitem__(self, index: int) -> RunLengthMask: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunLengthMask]: ...
    def __getitem__(self, index: int | slice) -> RunLengthMask | list[RunLengthMask]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        tree = self._tree
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected a region below {len(self)}, got {index}")
        left, top = (int(start) // tree.step for start in tree.boxes[index, :2])
        right, bottom = (-(-int(end) // tree.step) for end in tree.boxes[index, 2:])
        chosen = np.zeros(int(tree.superpixels.max()) + 1, np.bool_)
        chosen[tree.superpixels_of(index)] = True
        inside = chosen[tree.superpixels[top:bottom, left:right]]
        rows, columns = tree.rows_and_columns
        inside = inside.repeat(rows[top:bottom], axis=0).repeat(columns[left:right], axis=1)
        return encode_within(inside, (left * tree.step, top * tree.step), tree.size)


@compiled
def _sums(values: Any, members: Any, spans: Any) -> Any:
    """Nested regions share places, so that what comes before each place is added up once."""
    depth = values.shape[1]
    before = np.zeros((len(members) + 1, depth))
    for place in range(len(members)):
        for k in range(depth):
            before[place + 1, k] = before[place, k] + values[members[place], k]
    sums = np.empty((len(spans), depth))
    for region in range(len(spans)):
        for k in range(depth):
            sums[region, k] = before[spans[region, 1], k] - before[spans[region, 0], k]
    return sums


@compiled
def _boxes(superpixels: Any, members: Any, spans: Any) -> Any:
    """Left, top, right, bottom of each region in cells, half-open; no region is empty."""
    height, width = superpixels.shape
    of_superpixel = np.empty((superpixels.max() + 1, 4), np.int64)
    of_superpixel[:, :2] = max(height, width)
    of_superpixel[:, 2:] = 0
    for y in range(height):
        for x in range(width):
            box = of_superpixel[superpixels[y, x]]
            box[0], box[1] = min(box[0], x), min(box[1], y)
            box[2], box[3] = max(box[2], x + 1), max(box[3], y + 1)
    boxes = np.empty((len(spans), 4), np.int64)
    for region in range(len(spans)):
        boxes[region] = of_superpixel[members[spans[region, 0]]]
        for place in range(spans[region, 0] + 1, spans[region, 1]):
            other = of_superpixel[members[place]]
            boxes[region, 0] = min(boxes[region, 0], other[0])
            boxes[region, 1] = min(boxes[region, 1], other[1])
            boxes[region, 2] = max(boxes[region, 2], other[2])
            boxes[region, 3] = max(boxes[region, 3], other[3])
    return boxes
