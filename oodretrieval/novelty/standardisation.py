"""A score in robust deviations from what known segments show, whatever their class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.robust_statistics import median_and_deviation


@dataclass(frozen=True)
class Standardisation:
    """Median and robust deviation of a score over known segments of all classes.

    Statistics by predicted class gain on a scene that the network has seen and lose on others, where its classes no
    longer mean what they did (docs/novelty.md).

    Attributes:
        centre: Median.
        scale: Median absolute deviation, as a standard deviation of a normal distribution, > 0.
    """

    centre: float
    scale: float

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> "Standardisation":
        """Take the statistics from known segments.

        Args:
            values: Scores, ``(n,)`` with ``n >= 1``, finite.

        Returns:
            The statistics.

        Example:
            >>> Standardisation.of(np.array([1.0, 2.0, 3.0, 90.0])).centre
            2.5
        """
        centre, scale = median_and_deviation(values)
        return cls(centre, max(scale, float(np.finfo(np.float32).eps)))

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores ``(n,)`` in deviations from the centre."""
        standardised: NDArray[np.float64] = (np.asarray(values, np.float64) - self.centre) / self.scale
        return standardised
