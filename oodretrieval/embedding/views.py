"""What is shown of a candidate to an embedding network: its crop, more around it, less of its background, its pixels.

=========  ==========================================================================================================
crop       what lies in its box, which is enlarged to a smallest size: as published
context    its box with half as much again on each side
dimmed     its crop, where all that is not the candidate fades towards grey
masked     its crop; of what the network sees, the mean over the candidate's own pixels alone
pooled     the whole image, once for all of its candidates; the mean over the candidate's own pixels
=========  ==========================================================================================================

Several, joined by ``+``, are embedded one by one; the mean of their unit vectors stands for all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import CONTEXT, DIMMED, MASKED, POOLED
from oodretrieval.directions import unit_vectors
from oodretrieval.masks import RunLengthMask, decode_mask

NEEDS_MASK = frozenset({DIMMED, MASKED, POOLED})
MARGIN = 0.5
"""Of ``context``: what is added on each side, as a share of the box."""
LEFT_OF_BACKGROUND = 0.25
"""Of ``dimmed``: how much of the background's contrast is left."""
GREY = 127
SOFT_EDGE = 2
"""Of ``dimmed``: pixels around a mask that are not dimmed, as masks are seldom right to the pixel."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class View:
    """What the network sees, and over which of its pixels that is averaged.

    Attributes:
        image: RGB, ``(h, w, 3)`` uint8.
        masks: Each gives one vector, ``(h, w)`` bool with a pixel in it; None for one vector of all pixels.
        scale: By how much it is enlarged first.
    """

    image: NDArray[np.uint8]
    masks: Sequence[NDArray[np.bool_]] | None = field(default=None)
    scale: float = 1.0


def crop_views(
    image: NDArray[np.uint8], boxes: Sequence[Box], masks: Sequence[RunLengthMask | None], name: str
) -> Iterator[View]:
    """A view of each candidate of an image, or one of all of them.

    Args:
        image: RGB, ``(H, W, 3)``.
        boxes: Of the ``n`` crops: left, top, right, bottom in pixels, half-open, inside the image.
        masks: Of the candidates, ``n``; those that are not kept or empty count as their box.
        name: Which view.

    Yields:
        Views that make ``n`` vectors in the order of the candidates.
    """
    pixels = [
        _pixels(mask, box, image.shape) if name in NEEDS_MASK else None
        for mask, box in zip(masks, boxes, strict=True)
    ]
    if name == POOLED:
        if boxes:
            yield View(image, [mask for mask in pixels if mask is not None])
        return
    for (left, top, right, bottom), mask in zip(boxes, pixels, strict=True):
        inside = slice(top, bottom), slice(left, right)
        if name == CONTEXT:
            yield View(_with_context(image, (left, top, right, bottom)))
        elif mask is None:
            yield View(image[inside])
        elif name == MASKED:
            yield View(image[inside], [mask[inside]])
        else:
            yield View(dimmed(image[inside], mask[inside]))


def dimmed(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Let everything outside a mask fade towards grey.

    Args:
        image: RGB, ``(h, w, 3)``.
        mask: What stays as it is, ``(h, w)``.

    Returns:
        ``(h, w, 3)``.

    Example:
        >>> dimmed(np.zeros((1, 9, 3), np.uint8), np.arange(9)[None] < 1)[0, :, 0].tolist()
        [0, 0, 0, 95, 95, 95, 95, 95, 95]
    """
    grown = mask.copy()
    for _ in range(SOFT_EDGE):
        padded = np.pad(grown, 1)
        grown = (
            padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        )
    faded = GREY + LEFT_OF_BACKGROUND * (image.astype(np.float32) - GREY)
    result: NDArray[np.uint8] = np.where(grown[..., None], image, np.rint(faded).astype(np.uint8))
    return result


def mean_of_views(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One vector for several views of each candidate.

    Args:
        vectors: Of each view ``(n, D)``.

    Returns:
        ``(n, D)``: those of a single view as they are, else the mean of unit vectors.
    """
    if len(vectors) == 1:
        return vectors[0]
    mean: NDArray[np.float32] = np.mean([unit_vectors(one) for one in vectors], axis=0, dtype=np.float32)
    return mean


def _with_context(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    left, top, right, bottom = box
    x, y = round(MARGIN * (right - left)), round(MARGIN * (bottom - top))
    return image[max(0, top - y) : bottom + y, max(0, left - x) : right + x]


def _pixels(mask: RunLengthMask | None, box: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The candidate's pixels inside its box, ``(H, W)``; all of the box where that is not known."""
    left, top, right, bottom = box
    inside = np.zeros(shape[:2], np.bool_)
    inside[top:bottom, left:right] = True
    if mask is None or mask.size != shape[:2]:
        return inside
    own = decode_mask(mask) & inside
    return own if own.any() else inside
