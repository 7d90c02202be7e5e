"""Segments: the 8-connected components of equal predicted class, their boundary and their ids."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as _label

Slices = tuple[slice, slice]

_FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Half of the eight neighbours; the other half are the same pairs seen from the other pixel."""


def label_components(prediction: NDArray[np.integer], *, ignore: int | None = None) -> NDArray[np.int32]:
    """Number the 8-connected components of equal value.

    Args:
        prediction: Predicted classes, ``(H, W)`` of any integer type.
        ignore: Value whose pixels belong to no component; None for none.

    Returns:
        Ids ``(H, W)``, 1…n in raster-scan order of each component's first pixel; 0 where
        ``prediction == ignore``.

    Raises:
        ValueError: If ``prediction`` is not a non-empty integer array of two axes.

    Example:
        >>> label_components(np.array([[7, 7, 3], [5, 7, 3], [7, 3, 3]]))
        array([[1, 1, 2],
               [3, 1, 2],
               [1, 2, 2]], dtype=int32)
    """
    ids = as_class_map(prediction, "prediction").astype(np.int64)
    lowest = int(ids.min())
    background = lowest - 1 if ignore is None else ignore
    labelled = _label(ids, background=background, connectivity=2)  # type: ignore[no-untyped-call]
    return np.asarray(labelled, np.int32)


def boundary_mask(prediction: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where any of a pixel's 8 neighbours inside the image has another class.

    Args:
        prediction: Predicted classes, ``(H, W)``; masked pixels count as a class of their own.

    Returns:
        ``(H, W)``. The border of the image alone makes no boundary.

    Example:
        >>> boundary_mask(np.array([[1, 1, 1, 2]])).tolist()
        [[False, False, True, True]]
    """
    boundary = np.zeros(prediction.shape, np.bool_)
    for here, there in neighbour_pairs(prediction.shape):
        differs = prediction[here] != prediction[there]
        boundary[here] |= differs
    return boundary


def signed_components(prediction: NDArray[np.integer], components: NDArray[np.int32]) -> NDArray[np.int32]:
    """The component map with boundary pixels negated.

    Args:
        prediction: Predicted classes, ``(H, W)``.
        components: Their components, as :func:`label_components` gives them.

    Returns:
        ``(H, W)``: ``-id`` on the boundary, ``+id`` inside, 0 on masked pixels.
    """
    return np.where(boundary_mask(prediction), -components, components)


def neighbour_pairs(shape: tuple[int, ...]) -> Iterator[tuple[Slices, Slices]]:
    """All (pixel, neighbour) pairs of an image as eight pairs of views.

    Args:
        shape: ``(H, W)``.

    Yields:
        For every direction the slices of the pixels that have this neighbour, and of the neighbours. The
        views are empty where the image has no such pair.

    Example:
        >>> image = np.array([[1, 2]])
        >>> sum(int((image[a] != image[b]).sum()) for a, b in neighbour_pairs(image.shape))
        2
    """
    height, width = shape
    for dy, dx in _FORWARD:
        upper, lower = slice(0, max(height - dy, 0)), slice(dy, height)
        if dx >= 0:
            here = upper, slice(0, max(width - dx, 0))
            there = lower, slice(dx, width)
        else:
            here = upper, slice(-dx, width)
            there = lower, slice(0, max(width + dx, 0))
        yield here, there
        yield there, here


def as_class_map(values: Any, name: str) -> NDArray[np.integer]:
    """Check a map of class ids.

    Args:
        values: ``(H, W)`` integers.
        name: What to call it in the message.

    Returns:
        The array.

    Raises:
        ValueError: If it is not a non-empty integer array of two axes.
    """
    ids = np.asarray(values)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"{name} must be an integer array (H, W) of class ids, not {ids.dtype} {ids.shape}")
    if ids.size == 0:
        raise ValueError(f"{name} of shape {ids.shape} holds no pixel; leave empty images out")
    return ids
