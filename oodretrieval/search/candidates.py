"""Candidates in the order in which a person should inspect them: the highest score first, each thing once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import NEAR_FRAMES
from oodretrieval.parted_arrays import PartedArray, row_blocks

ALIKE = 0.85
"""Cosine of the angle between two vectors from which their segments look alike wherever they lie.

Measured on CamVid with efficientnet_lite0: one in ten thousand pairs of far frames reaches it."""
ALIKE_THERE = 0.7
"""The same for segments at the same place in a video."""
ALIKE_PERHAPS = 0.8
"""The same for segments at the same place in images that may be single photographs."""
OVERLAP = 0.5
"""Intersection over union of two boxes from which they are at the same place."""


def inspection_order(scores: ArrayLike) -> NDArray[np.intp]:
    """Rows by score, the highest first; equal scores in the order of their rows, NaN last.

    Args:
        scores: ``(n,)``, higher where more unknown.

    Returns:
        ``(n,)``.

    Example:
        >>> inspection_order([0.2, 0.9, np.nan, 0.9]).tolist()
        [1, 3, 0, 2]
    """
    return np.argsort(-np.asarray(scores, np.float64), kind="stable")


def first_sightings(
    scores: ArrayLike,
    frames: ArrayLike,
    boxes: ArrayLike,
    vectors: ArrayLike | PartedArray,
    video: ArrayLike = True,
    near: int = NEAR_FRAMES,
) -> NDArray[np.intp]:
    """Which candidate each one repeats: equal segments of neighbouring frames are one thing.

    A candidate repeats another of a higher score in a near frame, not in its own, if they look alike, or are at the
    same place and look somewhat alike, the more so where it is not known that the images are of a video. A
    repetition of a repetition repeats the first: what moves through a video counts once.

    Args:
        scores: ``(n,)``, higher where more unknown.
        frames: Place of each candidate's image on a line on which only the frames of one video are near each other,
            ``(n,)`` (:func:`~oodretrieval.clips.frame_positions`).
        boxes: Left, top, right, bottom, ``(n, 4)``, pixels, half-open.
        vectors: ``(n, D)``.
        video: Whether each candidate's images are known to be frames of a video, one value or ``(n,)``.
        near: How far apart frames may be.

    Returns:
        ``(n,)``: row of the first sighting, a row's own where it is one.

    Raises:
        ValueError: If the lengths differ.

    Example:
        >>> first_sightings([1, 3, 2], [7, 8, 9], [[0, 0, 4, 4]] * 3, np.ones((3, 2))).tolist()
        [1, 1, 1]
    """
    order = inspection_order(scores)
    vectors = vectors if isinstance(vectors, PartedArray) else np.asarray(vectors, np.float32)
    places, sides = np.asarray(frames, np.int64), np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(order) == len(places) == len(sides) == len(vectors):
        raise ValueError(
            f"scores {len(order)}, frames {len(places)}, boxes {len(sides)} and vectors {len(vectors)} must be of "
            "equal length"
        )
    lengths = np.empty(len(order), np.float32)
    for rows, block in row_blocks(vectors):
        lengths[rows] = np.maximum(np.linalg.norm(block, axis=1), 1e-12)
    moving = np.broadcast_to(np.asarray(video, bool), len(order))
    first, rank = np.arange(len(order)), np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    along = np.lexsort((rank, places))
    begins = np.searchsorted(places[along], places - near, "left")
    ends = np.searchsorted(places[along], places + near, "right")
    for row in order:
        others = along[begins[row] : ends[row]]
        others = others[(rank[others] < rank[row]) & (places[others] != places[row])]
        if len(others):
            alike = vectors[others] @ vectors[row] / (lengths[others] * lengths[row])
            there = _overlap(sides[others], sides[row]) >= OVERLAP
            same = (alike >= ALIKE) | there & (alike >= (ALIKE_THERE if moving[row] else ALIKE_PERHAPS))
            if same.any():
                # of several the one that looks most like it, of these the one of the highest score
                best = others[same & (alike == alike[same].max())]
                first[row] = first[best[rank[best].argmin()]]
    return first


def near_duplicates(
    frames: ArrayLike,
    boxes: ArrayLike,
    vectors: ArrayLike | PartedArray,
    video: ArrayLike = True,
    near: int = NEAR_FRAMES,
) -> NDArray[np.intp]:
    """Groups of candidates that show one thing: as :func:`first_sightings`, where none has a score.

    Args:
        frames: Place of each candidate's image on a line, ``(n,)``: the number of its frame, or when it was taken.
        boxes: Left, top, right, bottom, ``(n, 4)``, pixels, half-open.
        vectors: ``(n, D)``.
        video: Whether each candidate's images are known to be frames of a video, one value or ``(n,)``.
        near: How far apart frames may be.

    Returns:
        ``(n,)``: the first row of each group, in the order of rows.

    Raises:
        ValueError: If the lengths differ.
    """
    return first_sightings(np.zeros(len(np.asarray(frames))), frames, boxes, vectors, video, near)


def _overlap(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of boxes ``(k, 4)`` with one ``(4,)``, ``(k,)``."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(common / np.maximum(area - common, 1e-12), np.float64)
