"""Segments as terms of novelty need them, and the distance from some to the nearest of others."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ranking_cache import Described

NEAR_IMAGES = 2
"""Images this many places away, or fewer, resemble each other in a video."""
Values = NDArray[np.float64]
_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Part:
    """Segments, as terms need them.

    Attributes:
        described: Table and features.
        places: Place of each one's image, ``(n,)``.
        classes: Predicted classes, ``(n,)``.
    """

    described: Described
    places: NDArray[np.intp]
    classes: NDArray[np.int64]

    @classmethod
    def of(cls, described: Described, rows: NDArray[np.bool_]) -> "Part":
        """Some of the segments."""
        places = pd.factorize(described.table["image_id"])[0][rows]
        taken = described.take(rows)
        return cls(taken, places, taken.table["class"].to_numpy(np.int64))


def nearest(
    queries: Values,
    of: Part,
    stored: Values,
    bank: Part,
    *,
    k: int = 1,
    by_class: bool = True,
    apart: bool = False,
) -> Values:
    """Distance to the k-th nearest vector, of the own class or of any, ``(n,)``; the median where there is none.

    Args:
        queries: ``(n, D)``.
        of: Their segments.
        stored: ``(m, D)``.
        bank: Their segments.
        k: Which neighbour.
        by_class: Among those of the own class, where it has more than ``k``.
        apart: Without those of images close by.
    """
    result = np.full(len(queries), np.nan)
    for c in np.unique(of.classes) if by_class else (None,):
        rows = np.flatnonzero(of.classes == c) if c is not None else np.arange(len(queries))
        own = np.flatnonzero(bank.classes == c) if c is not None else np.arange(len(stored))
        own = own if len(own) > k else np.arange(len(stored))
        squares = (stored[own] ** 2).sum(axis=1)
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            distance = (queries[some] ** 2).sum(axis=1)[:, None] + squares - 2 * queries[some] @ stored[own].T
            if apart:
                close = np.abs(of.places[some][:, None] - bank.places[own][None]) <= NEAR_IMAGES
                distance = np.where(close, np.inf, distance)
            found = np.partition(distance, k - 1, axis=1)[:, k - 1]
            result[some] = np.where(np.isfinite(found), np.sqrt(np.maximum(found, 1e-6)), np.nan)
    return np.where(np.isfinite(result), result, np.nanmedian(result))
