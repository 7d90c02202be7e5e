"""Which part of the plane the scatter shows. Knows no toolkit."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.05
"""Kept free around all points, of their extent."""


@dataclass(frozen=True)
class ViewPort:
    """A rectangle of the plane on a rectangle of pixels, one unit as long in x as in y.

    Attributes:
        left: Of the plane.
        bottom: Of the plane.
        unit: Length of a pixel in the plane.
        width: Pixels.
        height: Pixels.
    """

    left: float
    bottom: float
    unit: float
    width: float
    height: float

    @classmethod
    def around(
        cls, points: NDArray[np.floating], width: float, height: float, room: float = 0.0
    ) -> "ViewPort":
        """The view of all points.

        Args:
            points: ``(n, 2)`` with ``n >= 1``.
            width: Pixels, positive.
            height: Pixels, positive.
            room: Kept free on the left, pixels, less than ``width``.

        Returns:
            The view; points that are all the same lie in its middle.

        Example:
            >>> round(ViewPort.around(np.array([[0, 0], [8, 4]]), 100, 50).unit, 6)
            0.088
        """
        columns = points[:, 0], points[:, 1]  # one after the other: ten times as fast as along an axis of two
        low, high = (
            np.array([float(end(column)) for column in columns]) for end in (np.ndarray.min, np.ndarray.max)
        )
        free = np.array([max(width - room, 1.0), height])
        unit = float(((high - low) / free).max()) * (1 + 2 * MARGIN) or 1.0 / width
        left, bottom = (low + high) / 2 - free * unit / 2
        return cls(float(left) - room * unit, float(bottom), unit, width, height)

    @classmethod
    def showing(cls, limits: tuple[float, float, float, float], width: float, height: float) -> "ViewPort":
        """The smallest view of a part of the plane, which lies in its middle.

        Args:
            limits: Left, bottom, right, top, the second two larger.
            width: Pixels, positive.
            height: Pixels, positive.

        Returns:
            The view.

        Example:
            >>> view = ViewPort.showing((0, 0, 4, 4), 200, 100)
            >>> view.left, view.right, view.bottom, view.top
            (-2.0, 6.0, 0.0, 4.0)
        """
        left, bottom, right, top = limits
        unit = max((right - left) / width, (top - bottom) / height) or 1.0 / width
        middle = (left + right) / 2, (bottom + top) / 2
        return cls(middle[0] - unit * width / 2, middle[1] - unit * height / 2, unit, width, height)

    @property
    def right(self) -> float:
        """Of the plane."""
        return self.left + self.unit * self.width

    @property
    def top(self) -> float:
        """Of the plane."""
        return self.bottom + self.unit * self.height

    def resized(self, width: float, height: float) -> "ViewPort":
        """The same view in a window of another size: its middle and its unit stay.

        Args:
            width: Pixels, positive.
            height: Pixels, positive.

        Returns:
            The view.
        """
        left = self.left + self.unit * (self.width - width) / 2
        bottom = self.bottom + self.unit * (self.height - height) / 2
        return replace(self, left=left, bottom=bottom, width=width, height=height)

    def place(self, across: NDArray[np.floating]) -> NDArray[np.float64]:
        """Places in the plane.

        Args:
            across: ``(k, 2)``, from 0 left to 1 right, from 0 at the top to 1 at the bottom.

        Returns:
            ``(k, 2)``.

        Example:
            >>> ViewPort(0, 0, 0.5, 100, 40).place(np.array([[0.0, 0.0], [1.0, 0.5]])).tolist()
            [[0.0, 20.0], [50.0, 10.0]]
        """
        size = np.array([self.right - self.left, self.bottom - self.top])
        placed: NDArray[np.float64] = np.array([self.left, self.top]) + np.asarray(across, np.float64) * size
        return placed


def nearest_point(
    points: NDArray[np.floating], place: tuple[float, float], reach: float, visible: NDArray[np.bool_] | None
) -> int | None:
    """The point that lies nearest to a place.

    Args:
        points: ``(n, 2)``.
        place: In the plane.
        reach: How far away it may be.
        visible: Which points are shown, ``(n,)``; all for None.

    Returns:
        Its row; None where none is in reach.

    Example:
        >>> nearest_point(np.array([[0.0, 0.0], [3.0, 4.0]]), (2.9, 4.0), 1.0, None)
        1
    """
    away = np.square(points[:, 0] - points.dtype.type(place[0]))
    away += np.square(points[:, 1] - points.dtype.type(place[1]))
    if visible is not None:
        away[~visible] = np.inf
    nearest = int(away.argmin())
    return nearest if float(away[nearest]) <= reach * reach else None
