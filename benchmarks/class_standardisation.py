"""A score next to what known segments of the same class, and of the same size, show: a part of the ablations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIOR = 30
"""Segments of all classes that a class's own statistics are mixed with: rare classes lean on the others."""

_HUBER = 1.345
_ROUNDS = 20


@dataclass(frozen=True)
class ClassStandardisation:
    """Robust centre and scale of a score for each predicted class, and its slope over the logarithm of size.

    Attributes:
        centre: ``(C,)``.
        scale: ``(C,)``, > 0.
        slope: Change of the score per unit of ``ln`` pixels; 0 where size plays no part.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    slope: float = 0.0

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        classes: NDArray[np.integer],
        num_classes: int,
        log_size: NDArray[np.float64] | None = None,
    ) -> "ClassStandardisation":
        """Take the statistics from known segments.

        Args:
            values: Scores, ``(n,)`` with ``n >= 1``, finite.
            classes: Predicted classes, ``(n,)``, 0…C-1.
            num_classes: C.
            log_size: ``ln`` of the pixels, ``(n,)``: the slope over it is taken away, and one scale serves all
                classes. None: each class has its own scale.

        Returns:
            The standardisation of these segments.
        """
        slope = 0.0 if log_size is None else _slope(values, classes, num_classes, log_size)
        level = values if log_size is None else values - slope * log_size
        counts = np.bincount(classes, minlength=num_classes)
        own = counts / (counts + PRIOR)
        centre = _by_class(level, classes, own, np.median)
        scale = np.full(num_classes, _deviation(level - centre[classes]))
        if log_size is None:
            scale = _by_class(level - centre[classes], classes, own, _deviation)
        return cls(centre, np.maximum(scale, np.finfo(np.float32).eps), slope)

    def __call__(
        self,
        values: NDArray[np.float64],
        classes: NDArray[np.integer],
        log_size: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Standardise scores ``(n,)`` of segments of these classes and sizes."""
        standardised: NDArray[np.float64] = (
            values - self.slope * log_size - self.centre[classes]
        ) / self.scale[classes]
        return standardised


def _by_class(
    values: NDArray[np.float64],
    classes: NDArray[np.integer],
    own: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], float],
) -> NDArray[np.float64]:
    everything = float(statistic(values))
    mixed = np.full(len(own), everything)
    for c in np.unique(classes):
        mixed[c] += own[c] * (float(statistic(values[classes == c])) - everything)
    return mixed


def _deviation(values: NDArray[np.float64]) -> float:
    """Median absolute deviation, as a standard deviation of a normal distribution."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _slope(
    values: NDArray[np.float64],
    classes: NDArray[np.integer],
    num_classes: int,
    log_size: NDArray[np.float64],
) -> float:
    """Slope common to all classes, by Huber's regression with an intercept for each class."""
    belongs = np.eye(num_classes)[classes]
    design = np.column_stack([log_size, np.ones(len(values)), belongs])
    penalty = np.diag([1e-6, 1e-6] + [float(PRIOR)] * num_classes)
    weights: NDArray[np.floating] = np.ones(len(values))
    solution = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        weighted = design * weights[:, None]
        solution = np.linalg.solve(design.T @ weighted + penalty, weighted.T @ values)
        residual = np.abs(values - design @ solution)
        limit = _HUBER * 1.4826 * float(np.median(residual))
        if limit > 0:
            weights = np.minimum(1, limit / np.maximum(residual, 1e-12))
    return float(solution[0])
