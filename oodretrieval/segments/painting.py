"""A value of each segment, painted over its pixels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def paint_segments(
    components: NDArray[np.integer], ids: ArrayLike, values: ArrayLike, missing: float = np.nan
) -> NDArray[np.float64]:
    """The value of the segment that each pixel belongs to.

    Args:
        components: Id of every pixel's segment, ``(H, W)``, >= 0; see :func:`~oodretrieval.segments.label_components`.
        ids: Ids of segments, ``(n,)``, >= 0; those that the image does not have are passed over.
        values: Of these segments, ``(n,)``.
        missing: Value of the pixels whose id is not among ``ids``.

    Returns:
        ``(H, W)``.

    Raises:
        ValueError: If ``ids`` and ``values`` differ in length.

    Example:
        >>> paint_segments(np.array([[1, 1, 2]]), [2, 1], [0.5, 0.25]).tolist()
        [[0.25, 0.25, 0.5]]
    """
    numbers, painted = np.asarray(ids, np.int64), np.asarray(values, np.float64)
    if numbers.ndim != 1 or numbers.shape != painted.shape:
        raise ValueError(f"expected ids (n,) and values (n,), got {numbers.shape} and {painted.shape}")
    table: NDArray[np.float64] = np.full(int(components.max(initial=0)) + 1, missing)
    there = numbers < len(table)
    table[numbers[there]] = painted[there]
    mapped: NDArray[np.float64] = table[components]
    return mapped
