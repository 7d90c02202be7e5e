"""Nearest neighbours among the segments that are shown. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.search import NearestNeighbours


def nearest_visible(
    index: NearestNeighbours, row: int, vector: NDArray[np.floating], wanted: int, visible: NDArray[np.bool_]
) -> list[tuple[int, float]]:
    """Neighbours of a segment among those that are shown.

    Args:
        index: Of all segments.
        row: Of the query, which is left out.
        vector: Of the query, ``(D,)``.
        wanted: How many neighbours; fewer where fewer are shown.
        visible: Which segments are shown, ``(n,)``.

    Returns:
        Rows and distances, nearest first.
    """
    if not wanted or not visible.any():
        return []
    found, distances = index.query(vector, wanted + 1, among=None if visible.all() else visible)
    others = [(int(i), float(d)) for i, d in zip(found, distances, strict=True) if i != row]
    return others[:wanted]
