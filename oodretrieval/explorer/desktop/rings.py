"""Rings around points of the scatter: the marked one, a query and its neighbours."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from oodretrieval.charts.palette import NEAR, RED


class Rings:
    """Drawn over the scatter, and not with it.

    Args:
        axes: The scatter.

    Attributes:
        marked: Around the point under the pointer, or of the candidate that is inspected.
        query: Around the point whose neighbours are wanted.
        neighbours: Around those.
    """

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self.marked, self.query, self.neighbours = _ring(17, RED), _ring(20, RED), _ring(14, NEAR)

    def mark(self, points: NDArray[np.floating] | None, row: int | None) -> None:
        """Ring the marked point.

        Args:
            points: Of all segments, ``(n, 2)``, or None.
            row: Which is ringed, or None.
        """
        _put(self.marked, points, [] if row is None else [row])

    def ring_neighbours(
        self, points: NDArray[np.floating] | None, query: int | None, neighbours: list[int]
    ) -> None:
        """Ring a query and its neighbours.

        Args:
            points: Of all segments, ``(n, 2)``, or None.
            query: Row of the query, or None.
            neighbours: Rows of its neighbours.
        """
        _put(self.query, points, [] if query is None else [query])
        _put(self.neighbours, points, neighbours)

    def placed(self) -> list[Line2D]:
        """The rings, in the scatter even if that was cleared.

        Returns:
            Around the marked point, the query and its neighbours.
        """
        rings = [self.marked, self.query, self.neighbours]
        for ring in rings:
            if ring.axes is None:
                self._axes.add_artist(ring)  # unlike add_line, this leaves the limits alone
        return rings


def _put(ring: Line2D, points: NDArray[np.floating] | None, rows: list[int]) -> None:
    ring.set_data(*(([], []) if points is None else points[rows].T))


def _ring(size: float, colour: str) -> Line2D:
    width = 2.2 if colour == RED else 1.3
    return Line2D(
        [], [], linestyle="", marker="o", markersize=size, fillstyle="none", markeredgecolor=colour,
        markeredgewidth=width, animated=True, zorder=6,
    )  # fmt: skip
