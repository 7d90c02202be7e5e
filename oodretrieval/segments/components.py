"""Segments: the 8-connected components of equal predicted class, and their ids."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.labelling import NO_PIXEL, label_runs


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
    return number_components(kernel_classes(as_class_map(prediction, "prediction"), ignore))[0]


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


def number_components(classes: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """:func:`label_components` of what kernels read.

    Args:
        classes: ``(H, W)``; :data:`~oodretrieval.segments.labelling.NO_PIXEL` belongs to no component.

    Returns:
        Ids ``(H, W)``, and their number.
    """
    ids = np.empty(classes.shape, np.int32)
    return ids, int(label_runs(np.ascontiguousarray(classes), ids))


def kernel_classes(ids: NDArray[np.integer], ignore: int | None) -> NDArray[np.int32]:
    """Class ids as kernels read them.

    Args:
        ids: Any shape and integer type.
        ignore: Id that means "no class"; None for none.

    Returns:
        The same shape: ``NO_PIXEL`` for the ignored id; other ids as they are if all fit, else renumbered.
    """
    if int(ids.min()) >= 0 and int(ids.max()) <= np.iinfo(np.int32).max:
        numbers = ids.astype(np.int32)
    else:
        numbers = np.unique(ids, return_inverse=True)[1].reshape(ids.shape).astype(np.int32)
    if ignore is not None:
        numbers[ids == ignore] = NO_PIXEL
    return numbers
