"""Masks kept as the lengths of their runs: small on disk and in memory, compared without their pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EIGHT = np.ones((3, 3), np.bool_)
"""A pixel and its eight neighbours: what is connected, for objects and their outlines."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, half-open."""


@dataclass(frozen=True, eq=False)
class RunLengthMask:
    """A mask as the lengths of its runs, in the order of COCO: down the columns, one column after the other.

    Attributes:
        size: Height and width of the image, in pixels.
        counts: Pixels of each run, ``(r,)`` uint32: outside, inside, outside, …; only the first may be 0.

    Source:
        Lin et al., "Microsoft COCO", arXiv:1405.0312, and the uncompressed form of its annotations.

    Example:
        >>> encode_mask(np.array([[False, True], [True, True]])).counts.tolist()
        [1, 3]
    """

    size: tuple[int, int]
    counts: NDArray[np.uint32]

    def __post_init__(self) -> None:
        counts, pixels = self.counts, self.size[0] * self.size[1]
        whole = int(counts.sum(dtype=np.int64)) == pixels if counts.ndim == 1 else False
        if not whole or (len(counts) > 1 and not counts[1:].all()):
            raise ValueError(
                f"expected counts (r,) of runs that fill an image of {self.size[0]}×{self.size[1]} pixels, none "
                f"empty but the first, got {counts.shape} with the sum {counts.sum(dtype=np.int64)}"
            )

    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each run inside begins and ends, counted down the columns.

        Returns:
            First place of each run, and the place behind its last, ``(k,)`` each.
        """
        edges = np.cumsum(self.counts, dtype=np.int64)
        ends = edges[1::2]
        return edges[0::2][: len(ends)], ends

    @property
    def area(self) -> int:
        """Pixels inside."""
        return int(self.counts[1::2].sum(dtype=np.int64))

    @property
    def box(self) -> Box:
        """The smallest box around the mask; all 0 for an empty one."""
        starts, ends = self.spans()
        if not len(starts):
            return 0, 0, 0, 0
        height = self.size[0]
        first, last = starts // height, (ends - 1) // height
        if (first != last).any():  # a run that goes on in the next column touches bottom and top
            top, bottom = 0, height
        else:
            top, bottom = int((starts % height).min()), int(((ends - 1) % height).max()) + 1
        return int(first[0]), top, int(last[-1]) + 1, bottom


def encode_mask(mask: NDArray[np.bool_]) -> RunLengthMask:
    """The runs of a mask ``(H, W)`` bool.

    Args:
        mask: ``(H, W)`` bool.

    Returns:
        Its runs.

    Raises:
        ValueError: If it has another number of axes.
    """
    if mask.ndim != 2:
        raise ValueError(f"expected a mask (H, W), got {mask.shape}")
    return encode_within(mask, (0, 0), (mask.shape[0], mask.shape[1]))


def encode_within(mask: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> RunLengthMask:
    """The runs of a mask of which only a part of the image is given; the rest is outside.

    Args:
        mask: The part, ``(h, w)`` bool.
        corner: Left and top pixel of the part in the image.
        size: Height and width of the image.

    Returns:
        The mask in the image.

    Raises:
        ValueError: If the part does not lie in the image.
    """
    (left, top), (height, width) = corner, size
    if min(corner) < 0 or top + mask.shape[0] > height or left + mask.shape[1] > width:
        raise ValueError(f"expected a part of {size}, got {mask.shape} at row {top}, column {left}")
    columns = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    columns[:, 1:-1] = mask.T
    changes = np.diff(columns, axis=1)
    (x, y), (_, y_end) = np.nonzero(changes == 1), np.nonzero(changes == -1)
    starts, ends = (x + left) * height + y + top, (x + left) * height + y_end + top
    joined = starts[1:] == ends[:-1]
    starts, ends = starts[np.r_[True, ~joined][: len(starts)]], ends[np.r_[~joined, True][: len(ends)]]
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(np.r_[0, edges, height * width])
    if counts[-1] == 0 and len(counts) > 1:
        counts = counts[:-1]
    return RunLengthMask((height, width), counts.astype(np.uint32))


def decode_mask(mask: RunLengthMask) -> NDArray[np.bool_]:
    """The pixels of ``mask``, ``(H, W)`` bool."""
    inside = np.arange(len(mask.counts)) % 2 == 1
    height, width = mask.size
    return np.ascontiguousarray(np.repeat(inside, mask.counts).reshape(width, height).T)


def mask_intersection(one: RunLengthMask, other: RunLengthMask) -> int:
    """Pixels that lie in both masks.

    Args:
        one: A mask.
        other: Another, of an image of the same size.

    Returns:
        A number of pixels.

    Raises:
        ValueError: If they are of images of different size.
    """
    if one.size != other.size:
        raise ValueError(f"expected masks of one size, got {one.size} and {other.size}")
    starts, ends = one.spans()
    edges = np.r_[0, np.cumsum(other.counts, dtype=np.int64)]
    inside = np.arange(len(other.counts)) % 2 * other.counts.astype(np.int64)
    before = np.r_[
        0, np.cumsum(inside)
    ]  # pixels of the other mask before each edge: straight lines between them
    shared = np.interp(ends, edges, before) - np.interp(starts, edges, before)
    return round(float(shared.sum()))


def mask_iou(one: RunLengthMask, other: RunLengthMask) -> float:
    """Intersection over union, 0…1; 0 for two empty masks.

    Args:
        one: A mask.
        other: Another, of an image of the same size.

    Returns:
        0 where nothing is shared … 1 for equal masks.

    Raises:
        ValueError: If they are of images of different size.

    Example:
        >>> mask_iou(encode_mask(np.array([[True, True]])), encode_mask(np.array([[True, False]])))
        0.5
    """
    shared = mask_intersection(one, other)
    return shared / max(one.area + other.area - shared, 1)


def to_coco(mask: RunLengthMask) -> dict[str, Any]:
    """``mask`` as COCO's uncompressed segmentation: ``{"size": [H, W], "counts": [...]}``, plain values."""
    return {"size": list(mask.size), "counts": mask.counts.tolist()}


def from_coco(segmentation: dict[str, Any]) -> RunLengthMask:
    """The mask of COCO's uncompressed segmentation.

    Args:
        segmentation: ``{"size": [H, W], "counts": [...]}``, in pixels, whole numbers.

    Returns:
        The mask.

    Raises:
        ValueError: If it is none.
    """
    try:
        height, width = (int(value) for value in segmentation["size"])
        counts = np.asarray(segmentation["counts"], np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "expected {'size': [H, W], 'counts': [...]} with whole numbers; COCO's compressed counts are text: "
            f"decompress them first ({error})"
        ) from error
    if counts.ndim != 1 or (counts < 0).any() or (counts > np.iinfo(np.uint32).max).any():
        raise ValueError("expected counts of at least 0, one axis")
    return RunLengthMask((height, width), counts.astype(np.uint32))
