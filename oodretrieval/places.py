"""Places in a row of images: where each lies, and some that are spread over all."""

from collections.abc import Sequence

import numpy as np


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
