"""Nearest neighbours among the segments that are shown. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.search import NearestNeighbours


def nearest_visible(
    index: NearestNeighbours, row: int, vector: NDArray[np.floating], wanted: int, visible: NDArray[np.bool_]
) -> list[tuple[int, float]]:
    """Ask for more and more neighbours until there are enough that are shown.

    Args:
        index: Of all segments.
        row: Of the query, which is left out.
        vector: Of the query, ``(D,)``.
        wanted: How many neighbours; fewer where fewer are shown.
        visible: Which segments are shown, ``(n,)``.

    Returns:
        Rows and distances, nearest first.
    """
    asked, others = wanted + 1, list[tuple[int, float]]()
    while wanted:
        found, distances = index.query(vector, asked)
        pairs = zip(found, distances, strict=True)
        others = [(int(i), float(d)) for i, d in pairs if i != row and visible[i]]
        if len(others) >= wanted or asked >= len(visible):
            break
        asked = min(4 * asked, len(visible))
    return others[:wanted]
