"""Boxes around segments, and the crops they cut out of an image."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled

Scalar = TypeVar("Scalar", bound=np.generic)

NO_LABEL = -1
"""The majority label of segments without ground truth."""


class Box(NamedTuple):
    """A half-open rectangle in pixels: columns ``left…right - 1``, rows ``top…bottom - 1``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top


def segment_boxes(components: NDArray[np.integer]) -> NDArray[np.int64]:
    """The box around all pixels of every segment, boundary pixels included.

    Args:
        components: Signed or unsigned ids, ``(H, W)``; 0 belongs to no segment.

    Returns:
        ``(n, 4)``: left, top, right, bottom in pixels, half-open; row i belongs to segment i + 1. An id that
        does not occur has the box 0, 0, 0, 0.

    Example:
        >>> segment_boxes(np.array([[1, -1, -2], [1, 1, -2]])).tolist()
        [[0, 0, 2, 2], [2, 0, 3, 2]]
    """
    ids, number = _unsigned(components)
    boxes = np.zeros((number + 1, 4), np.int64)
    _extend(ids, boxes)
    return boxes[1:]


def enlarge_box(
    box: tuple[int, int, int, int], min_height: int, min_width: int, image_height: int, image_width: int
) -> Box:
    """Grow a box about its centre to a minimum size, shifted where it would leave the image.

    Args:
        box: Left, top, right, bottom in pixels, half-open, inside the image.
        min_height: Rows it shall have at least.
        min_width: Columns it shall have at least.
        image_height: Rows of the image.
        image_width: Columns of the image.

    Returns:
        A box that contains ``box``, lies inside the image, and has the minimum size; along an axis on which
        the image is smaller than that, it spans the image.

    Raises:
        ValueError: If ``box`` is empty or not inside the image.

    Example:
        >>> enlarge_box((0, 4, 2, 6), 4, 4, 10, 10)
        Box(left=0, top=3, right=4, bottom=7)
    """
    left, top, right, bottom = (int(value) for value in box)
    if not (0 <= left < right <= image_width and 0 <= top < bottom <= image_height):
        raise ValueError(
            f"box {(left, top, right, bottom)} (left, top, right, bottom) must be non-empty and inside the "
            f"image of {image_width}×{image_height} (width×height)"
        )
    left, right = _enlarge(left, right, min_width, image_width)
    top, bottom = _enlarge(top, bottom, min_height, image_height)
    return Box(left, top, right, bottom)


def crop(image: NDArray[Scalar], box: tuple[int, int, int, int]) -> NDArray[Scalar]:
    """Cut a box out of an image.

    Args:
        image: ``(H, W)`` or ``(H, W, channels)``.
        box: Left, top, right, bottom in pixels, half-open, inside the image.

    Returns:
        A view of the image, ``(bottom - top, right - left, …)``.

    Raises:
        ValueError: If ``box`` is empty or not inside the image.

    Example:
        >>> crop(np.arange(6).reshape(2, 3), (1, 0, 3, 1)).tolist()
        [[1, 2]]
    """
    left, top, right, bottom = enlarge_box(box, 1, 1, *image.shape[:2])
    return image[top:bottom, left:right]


def majority_label(components: NDArray[np.integer], labels: NDArray[Any]) -> NDArray[np.int64]:
    """The most frequent label id over all pixels of every segment, boundary pixels included.

    Args:
        components: Signed or unsigned ids, ``(H, W)``; 0 belongs to no segment.
        labels: Label ids, ``(H, W)``, 0…65535.

    Returns:
        ``(n,)``; entry i belongs to segment i + 1. The smallest of equally frequent ids, -1 for an id that
        does not occur among the segments.

    Raises:
        ValueError: If the shapes disagree.

    Example:
        >>> majority_label(np.array([[1, -1, -1, 2]]), np.array([[7, 4, 7, 4]])).tolist()
        [7, 4]
    """
    if components.shape != labels.shape:
        raise ValueError(f"labels {labels.shape} must have the shape of the components {components.shape}")
    ids, number = _unsigned(components)
    votes, present = label_votes(ids, labels, number)
    return winners(votes, present)


def label_votes(
    ids: NDArray[np.int32], labels: NDArray[np.integer], number: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count the label ids of every segment.

    Args:
        ids: Signed or unsigned ids, ``(H, W)``, 0 for none.
        labels: Label ids, ``(H, W)``, 0…65535.
        number: n.

    Returns:
        Pixels of each segment with each label, ``(n, m)``, and the m label ids that occur, ascending.
    """
    kinds = np.ascontiguousarray(labels, np.int32)
    present = np.flatnonzero(_occurring(kinds, np.zeros(int(kinds.max(initial=0)) + 1, np.bool_)))
    column = np.zeros(int(present.max(initial=0)) + 1, np.int32)
    column[present] = np.arange(len(present))
    votes = np.zeros((number + 1, len(present)), np.int32)
    _vote(ids, kinds, column, votes)
    return votes[1:], present.astype(np.int64)


def winners(votes: NDArray[np.int32], present: NDArray[np.int64]) -> NDArray[np.int64]:
    """The smallest label id of most votes.

    Args:
        votes: Pixels of each label in each segment, ``(n, k)``.
        present: The label ids, ascending, ``(k,)``.

    Returns:
        ``(n,)``; -1 without any vote.
    """
    if present.size == 0:
        return np.full(len(votes), NO_LABEL, np.int64)
    return np.where(votes.any(axis=1), present[votes.argmax(axis=1)], NO_LABEL).astype(np.int64)


def _unsigned(components: NDArray[np.integer]) -> tuple[NDArray[np.int32], int]:
    ids = np.ascontiguousarray(np.abs(components), np.int32)
    return ids, int(ids.max(initial=0))


@compiled
def _extend(ids: NDArray[Any], boxes: NDArray[Any]) -> None:
    for y in range(ids.shape[0]):
        x = 0
        while x < ids.shape[1]:
            i, start = ids[y, x], x
            while x < ids.shape[1] and ids[y, x] == i:
                x += 1
            box = boxes[i]
            if box[2] == 0:
                box[0], box[1] = start, y
            box[0] = min(box[0], start)
            box[2] = max(box[2], x)
            box[3] = y + 1


@compiled
def _occurring(labels: NDArray[Any], found: NDArray[Any]) -> NDArray[Any]:
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            found[labels[y, x]] = True
    return found


@compiled
def _vote(ids: NDArray[Any], labels: NDArray[Any], column: NDArray[Any], votes: NDArray[Any]) -> None:
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            votes[abs(ids[y, x]), column[labels[y, x]]] += 1


def _enlarge(start: int, stop: int, minimum: int, size: int) -> tuple[int, int]:
    length = min(max(stop - start, minimum), size)
    start -= (length - (stop - start)) // 2
    start = min(max(start, 0), size - length)
    return start, start + length
