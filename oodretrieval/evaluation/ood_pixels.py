"""How unknown every pixel is, by each of the field's scores, and what the standardised one needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from oodretrieval.choices import EXPECTED_IOU, LOGIT_SCORES, SOFTMAX_SCORES
from oodretrieval.uncertainty import softmax_scores

SMOOTHING = 0.02
"""Standard deviation of the Gaussian, as a share of the root of the image's area; nothing is fitted."""

_PIXELS_AT_ONCE = 1 << 16
_SMALLEST_STD = 1e-6


@dataclass(frozen=True, eq=False)
class LogitStatistics:
    """The largest logits of known pixels, class by class.

    Attributes:
        mean: Mean of the largest logit over the pixels predicted as each class, ``(C,)``.
        std: Its standard deviation, ``(C,)``.
        pixels: How many pixels these are, ``(C,)``. A class without any has the statistics of all pixels.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    pixels: NDArray[np.int64]

    def standardise(
        self, largest: NDArray[np.floating], predicted: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Largest logits in deviations from the mean of the predicted class.

        Args:
            largest: Any shape.
            predicted: Predicted classes, the same shape.

        Returns:
            The same shape.
        """
        std = np.maximum(self.std, _SMALLEST_STD)
        return np.asarray((largest - self.mean[predicted]) / std[predicted], np.float32)


class LogitStatisticsSums:
    """Gathers :class:`LogitStatistics` over any number of images.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        self._sums = np.zeros((3, num_classes))

    def update(self, logits: NDArray[np.floating], known: NDArray[np.bool_] | None = None) -> None:
        """Add one image.

        Args:
            logits: ``(H, W, C)``.
            known: Pixels to take, ``(H, W)``; None for all. What is unknown is not to be learned from.

        Raises:
            ValueError: If the shapes do not fit.
        """
        values = checked_logits(logits)
        if values.shape[2] != self._sums.shape[1] or (known is not None and known.shape != values.shape[:2]):
            raise ValueError(
                f"expected logits (H, W, {self._sums.shape[1]}) and known (H, W), "
                f"got {values.shape} and {None if known is None else known.shape}"
            )
        chosen = values.reshape(-1, values.shape[2]) if known is None else values[known]
        predicted, largest = chosen.argmax(axis=1), chosen.max(axis=1).astype(np.float64)
        for row, weights in enumerate((None, largest, largest**2)):
            self._sums[row] += np.bincount(predicted, weights, minlength=values.shape[2])

    def statistics(self) -> LogitStatistics:
        """What was gathered.

        Returns:
            Mean and deviation of the largest logit of each predicted class.

        Raises:
            ValueError: If that is nothing.
        """
        number, total, squares = self._sums
        if not number.sum():
            raise ValueError("no pixel was added; statistics need images with known pixels")
        everything = self._sums.sum(axis=1)
        there = number > 0
        divisor = np.maximum(number, 1)
        mean = np.where(there, total / divisor, everything[1] / everything[0])
        square = np.where(there, squares / divisor, everything[2] / everything[0])
        std = np.sqrt(np.maximum(square - mean**2, 0))
        return LogitStatistics(mean, std, number.astype(np.int64))


def pixel_scores(
    logits: NDArray[np.floating],
    *,
    temperature: float = 1.0,
    statistics: LogitStatistics | None = None,
    predicted_iou: ArrayLike | None = None,
) -> dict[str, NDArray[np.float32]]:
    """How unknown every pixel is, by every score.

    Args:
        logits: ``(H, W, C)`` with ``C >= 2``, finite.
        temperature: T of the energy, > 0.
        statistics: Of the training set, for the standardised maximum logit; without them it is left out.
        predicted_iou: The meta model's estimate painted over each segment, ``(H, W)`` in 0…1, for the
            expected IoU; without it that is left out.

    Returns:
        Name → ``(H, W)``, higher = more unknown:

        - ``max_softmax``: ``1 - max p``, 0…1-1/C;
        - ``entropy``: ``-sum p ln(p + eps) / ln C``, 0…1;
        - ``energy``: ``-T logsumexp(z / T)``;
        - ``max_logit``: ``-max z``;
        - ``standardised_max_logit``: ``-(max z - mean_c) / std_c`` of the predicted class c;
        - ``smoothed_energy``: the energy blurred by a Gaussian of :data:`SMOOTHING`, as unknown things are larger
          than the seams between known ones, where the energy of single pixels is high as well;
        - ``expected_iou``: ``1 - predicted IoU``, 0…1.

    Raises:
        ValueError: If shapes do not fit, a logit is not finite, or ``temperature`` is not above 0.

    Source:
        Hendrycks and Gimpel, arXiv:1610.02136 (softmax); Liu et al., arXiv:2010.03759 (energy); Hendrycks et
        al., arXiv:1911.11132 (maximum logit); Jung et al., arXiv:2107.11264 (standardised).

    Example:
        >>> scores = pixel_scores(np.log([[[0.5, 0.5], [0.75, 0.25]]]))
        >>> scores["max_softmax"].tolist(), np.abs(scores["energy"]).round(6).tolist()
        ([[0.5, 0.25]], [[0.0, 0.0]])
    """
    maps = _of_single_pixels(checked_logits(logits), temperature, statistics)
    height, width = maps["energy"].shape
    maps["smoothed_energy"] = gaussian_filter(
        maps["energy"], SMOOTHING * np.sqrt(height * width), mode="nearest"
    )
    if predicted_iou is not None:
        maps[EXPECTED_IOU] = _expected_iou(predicted_iou, (height, width))
    return maps


def _of_single_pixels(
    logits: NDArray[np.floating], temperature: float, statistics: LogitStatistics | None
) -> dict[str, NDArray[np.float32]]:
    """The scores of each pixel alone, ``(H, W)``."""
    height, width, classes = logits.shape
    pixels = logits.reshape(-1, classes)
    names = [*SOFTMAX_SCORES, *LOGIT_SCORES[: 2 if statistics is None else 3]]
    scores = {name: np.empty(len(pixels), np.float32) for name in names}
    for start in range(0, len(pixels), _PIXELS_AT_ONCE):
        part = np.s_[start : start + _PIXELS_AT_ONCE]
        for name, score in _scores(pixels[part], temperature, statistics).items():
            scores[name][part] = score
    return {name: score.reshape(height, width) for name, score in scores.items()}


def _expected_iou(predicted_iou: ArrayLike, size: tuple[int, int]) -> NDArray[np.float32]:
    painted = np.asarray(predicted_iou, np.float32)
    if painted.shape != size:
        raise ValueError(f"expected predicted_iou {size}, got {painted.shape}")
    return 1 - painted


def _scores(
    logits: NDArray[np.floating], temperature: float, statistics: LogitStatistics | None
) -> Mapping[str, NDArray[Any]]:
    """Scores of pixels ``(n, C)``."""
    z = np.asarray(logits, np.float32)
    scores = softmax_scores(z, temperature)
    if statistics is not None:
        scores["standardised_max_logit"] = -statistics.standardise(-scores["max_logit"], z.argmax(axis=1))
    return scores


def checked_logits(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Refuse what are no logits, or not finite.

    Args:
        logits: ``(H, W, C)``, C >= 2.

    Returns:
        The same, as an array.

    Raises:
        ValueError: Saying what was got.
    """
    values = np.asarray(logits)
    if values.ndim != 3 or values.shape[2] < 2 or not values.size:
        raise ValueError(f"expected logits (H, W, C) with pixels and C >= 2, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("expected finite logits, got NaN or infinity; check the network and its weights")
    return values
