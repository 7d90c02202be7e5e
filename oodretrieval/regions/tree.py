"""A tree of regions: every mask is a set of superpixels; its pixels are computed only when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

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

    @cached_property
    def membership(self) -> csr_array:
        """1 where a superpixel belongs to a region, ``(m, n)`` sparse float64."""
        lengths = self.spans[:, 1] - self.spans[:, 0]
        starts = np.r_[0, np.cumsum(lengths)]
        places = np.arange(starts[-1]) + np.repeat(self.spans[:, 0] - starts[:-1], lengths)
        shape = (len(self), int(self.superpixels.max()) + 1)
        return csr_array((np.ones(len(places)), self.members[places], starts), shape)

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
        return np.asarray(np.rint(self.membership @ self.superpixel_areas), np.int64)

    @cached_property
    def boxes(self) -> NDArray[np.int64]:
        """Left, top, right, bottom of each region in pixels of the image, half-open; ``(m, 4)``."""
        boxes = np.stack(
            [_reduce(np.minimum, low, self) for low in _corners(self.superpixels, low=True)]
            + [_reduce(np.maximum, high, self) for high in _corners(self.superpixels, low=False)],
            axis=1,
        )
        height, width = self.size
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


def _corners(labels: NDArray[np.int32], *, low: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First (or last + 1) column and row of every superpixel, in cells."""
    number = int(labels.max()) + 1
    found = []
    for axis in (1, 0):
        place = np.broadcast_to(np.expand_dims(np.arange(labels.shape[axis]), 1 - axis), labels.shape)
        extreme = np.full(number, labels.shape[axis] if low else -1, np.int64)
        (np.minimum if low else np.maximum).at(extreme, labels.ravel(), place.ravel())
        found.append(extreme if low else extreme + 1)
    return found[0], found[1]


def _reduce(function: np.ufunc, values: NDArray[np.int64], tree: RegionTree) -> NDArray[np.int64]:
    """Least or largest value of the superpixels of each region, ``(m,)``; no region is empty."""
    membership = tree.membership
    return np.asarray(function.reduceat(values[membership.indices], membership.indptr[:-1]))
