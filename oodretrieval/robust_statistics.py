"""Centre and spread that a few strange values do not move."""

import numpy as np
from numpy.typing import NDArray

_PER_DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def median_and_deviation(values: NDArray[np.floating]) -> tuple[float, float]:
    """Median, and median absolute deviation as a standard deviation of a normal distribution.

    Args:
        values: ``(n,)`` with ``n >= 1``, finite.

    Returns:
        Both, in units of the values; the deviation is 0 where more than half of the values are alike.

    Example:
        >>> median_and_deviation(np.array([1.0, 2.0, 3.0, 90.0]))
        (2.5, 1.4826)
    """
    median = float(np.median(values))
    return median, _PER_DEVIATION * float(np.median(np.abs(values - median)))
