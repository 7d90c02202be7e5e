"""How many segments must be inspected, in some order, until an object is found."""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from oodretrieval.masks import EIGHT

Labels = NDArray[np.int64]
Looks = NDArray[np.float64]


def looks_until_found(
    labels: NDArray[np.integer],
    boxes: ArrayLike,
    looks: ArrayLike,
    *,
    ids: Collection[int] | None = None,
    min_height: int = 1,
    min_width: int = 1,
) -> tuple[Labels, Looks]:
    """When each object of an image is found, in several orders of inspection.

    An object is an 8-connected component of one label id whose box is at least ``min_height`` by
    ``min_width``. It is found by the look after which at least half of it lies in the union of the boxes that
    were inspected.

    Args:
        labels: Label ids, ``(H, W)``.
        boxes: Boxes of the image's segments, ``(k, 4)``: left, top, right, bottom in pixels, half-open.
        looks: At which look each segment's turn comes, ``(orders, k)``, from 1; counted over the whole dataset.
        ids: Label ids of the objects; None for all.
        min_height: Smallest height of an object that counts, in pixels.
        min_width: Smallest width.

    Returns:
        Label id of each object, ``(n,)``, and the look that finds it, ``(orders, n)``; infinite where none does.

    Raises:
        ValueError: If shapes do not fit.

    Example:
        >>> image = np.array([[7, 7, 7, 7]])
        >>> looks_until_found(image, [[0, 0, 1, 1], [2, 0, 3, 1]], [[1, 2], [9, 4]])[1].tolist()
        [[2.0], [9.0]]
    """
    corners, turns = _checked(labels, boxes, looks)
    wanted = [int(i) for i in np.unique(labels) if ids is None or int(i) in ids]
    names, found = [], []
    for label in wanted:
        components, _ = ndimage.label(labels == label, EIGHT)
        for number, (down, across) in enumerate(ndimage.find_objects(components), 1):
            if down.stop - down.start >= min_height and across.stop - across.start >= min_width:
                rows, columns = np.nonzero(components[down, across] == number)
                names.append(label)
                found.append(_found_by(rows + down.start, columns + across.start, corners, turns))
    return np.array(names, np.int64), np.array(found).reshape(len(names), len(turns)).T


def _checked(labels: NDArray[np.integer], boxes: ArrayLike, looks: ArrayLike) -> tuple[Labels, Looks]:
    """Boxes ``(k, 4)`` and looks ``(orders, k)``."""
    corners = np.asarray(boxes, np.int64).reshape(-1, 4)
    turns = np.asarray(looks, np.float64)
    if labels.ndim != 2 or turns.ndim != 2 or turns.shape[1] != len(corners):
        raise ValueError(
            "expected labels (H, W), boxes (k, 4) and looks (orders, k), "
            f"got {labels.shape}, {np.shape(boxes)} and {turns.shape}"
        )
    return corners, turns


def _found_by(rows: NDArray[np.intp], columns: NDArray[np.intp], boxes: Labels, looks: Looks) -> Looks:
    """The look that brings half of these pixels into boxes, in each order ``(orders,)``."""
    left, top, right, bottom = boxes.T[:, :, None]
    inside = (left <= columns) & (columns < right) & (top <= rows) & (rows < bottom)
    touching = inside.any(axis=1)
    # pixels in the same boxes are found together
    patterns, pixels = np.unique(inside[touching], axis=1, return_counts=True)
    turns = np.where(patterns, looks[:, touching, None], np.inf)
    first = turns.min(axis=1, initial=np.inf)
    order = first.argsort(axis=1)
    covered = pixels[order].cumsum(axis=1)
    half = (2 * covered >= len(rows)).argmax(axis=1)
    return np.asarray(np.take_along_axis(first, order, 1)[np.arange(len(looks)), half])
