"""Where things lie: images in a row, and pixels in the cells of a coarse grid."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def places_of(ids: Sequence[str]) -> dict[str, int]:
    """Where the image of each id lies.

    Args:
        ids: Of all images, in order, each once.

    Returns:
        Id → place.

    Example:
        >>> places_of(["b", "a"])
        {'b': 0, 'a': 1}
    """
    return {image: place for place, image in enumerate(ids)}


def spread(number: int, most: int) -> list[int]:
    """Places that are spread evenly over all.

    Args:
        number: How many places there are.
        most: How many are taken at most, >= 1.

    Returns:
        The places, ascending; from two on with the first and the last.

    Example:
        >>> spread(10, 4), spread(2, 4)
        ([0, 3, 6, 9], [0, 1])
    """
    places = np.linspace(0, number - 1, min(number, most)).round().astype(int)
    return [int(place) for place in np.unique(places)]


def cells_of_pixels(size: tuple[int, ...], grid: tuple[int, ...]) -> NDArray[np.int64]:
    """The cell of a coarse grid over the image that the middle of each pixel lies in.

    Args:
        size: Height and width of the image.
        grid: Rows and columns of the grid.

    Returns:
        Number of each pixel's cell, row by row, ``(H, W)``.

    Example:
        >>> cells_of_pixels((1, 5), (1, 2)).tolist()
        [[0, 0, 1, 1, 1]]
    """
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(size, grid, strict=True))
    return np.asarray(rows[:, None] * grid[1] + columns, np.int64)
