"""Rows of one table that lie in several arrays, such as memory-mapped files: taken as one, and never put together."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

BYTES_AT_ONCE = 32 * 2**20
"""Of vectors whose values are computed with in a block."""


class PartedArray:
    """Arrays of equal width below each other, which acts as one array where rows are read.

    ``array[rows]`` reads those rows only; ``np.asarray(array)``, which most functions of numpy begin with, copies
    everything, as it does for any file that is memory-mapped.

    Args:
        parts: ``(n_i, D)`` each, of one type; at least one.

    Attributes:
        parts: As given.
        shape: ``(n, D)``, ``n`` the sum of all ``n_i``.

    Raises:
        ValueError: If there is no part, or their widths or types differ.

    Example:
        >>> rows = PartedArray([np.zeros((2, 3)), np.ones((1, 3))])
        >>> rows.shape, rows[2].tolist(), rows[[2, 0]][:, 0].tolist()
        ((3, 3), [1.0, 1.0, 1.0], [1.0, 0.0])
    """

    ndim = 2

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        kinds = {(part.shape[1:], part.dtype) for part in parts}
        if len(kinds) != 1 or parts[0].ndim != 2:
            raise ValueError(f"parts must be (n_i, D) of one width and type, got {sorted(map(str, kinds))}")
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), parts[0].shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.parts[0].dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.shape[0] * self.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for part in self.parts:
            yield from part

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows that lie in several arrays become one by a copy only")
        return np.concatenate(self.parts, dtype=dtype)

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        """All rows as one array of another type.

        Args:
            dtype: The type.

        Returns:
            A copy, ``(n, D)``.
        """
        return self.__array__(dtype)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            rows, *rest = key
            taken = self[rows]
            one = isinstance(rows, (int, np.integer))
            return taken[tuple(rest)] if one else taken[(slice(None), *rest)]
        if isinstance(key, (int, np.integer)):
            part, row = self._place(key)
            return self.parts[part][row]
        if isinstance(key, slice) and key.indices(len(self))[2] == 1:
            return self._range(*key.indices(len(self))[:2])
        return self._rows(np.arange(len(self))[key])

    def _place(self, row: int | np.integer[Any]) -> tuple[int, int]:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row = int(row) % len(self)
        part = int(np.searchsorted(self._ends, row, side="right"))
        return part, row - int(self._start(part))

    def _start(self, part: int) -> int:
        return int(self._ends[part]) - len(self.parts[part])

    def _range(self, start: int, stop: int) -> NDArray[Any]:
        """A view where the rows lie in one part."""
        pieces = []
        for part in range(len(self.parts)):
            first = self._start(part)
            piece = self.parts[part][max(start - first, 0) : max(stop - first, 0)]
            if len(piece):
                pieces.append(piece)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else self.parts[0][:0]

    def _rows(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        taken = np.empty((*rows.shape, self.shape[1]), self.dtype)
        part = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(part):
            here = part == number
            taken[here] = self.parts[number][rows[here] - self._start(int(number))]
        return taken


def parts_of(array: ArrayLike | PartedArray) -> tuple[NDArray[Any], ...]:
    """The arrays that an array consists of.

    Args:
        array: Of one part or several.

    Returns:
        Its parts; an array of numpy's is one.
    """
    return array.parts if isinstance(array, PartedArray) else (np.asarray(array),)


def row_blocks(
    array: ArrayLike | PartedArray, size: int = BYTES_AT_ONCE
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Go through the rows of an array in views of its parts.

    Args:
        array: ``(n, D)``, of one part or several.
        size: Bytes of a block at most, of one row at least.

    Yields:
        Where the rows of a block are, and the block.
    """
    start = 0
    for part in parts_of(array):
        width = max(1, part.shape[1] * part.dtype.itemsize)
        rows = max(1, size // width)
        for first in range(0, len(part), rows):
            block = part[first : first + rows]
            yield slice(start + first, start + first + len(block)), block
        start += len(part)
