"""How good the pixels are that the predicted IoU calls good, and those that it calls poor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.evaluation.confusion import mean_iou
from oodretrieval.labels import NO_CLASS

THRESHOLDS = tuple(k / 100 for k in range(101))


@dataclass(frozen=True, eq=False)
class IouCurves:
    """Mean IoU on both sides of every threshold t.

    Attributes:
        thresholds: t, ``(k,)``, 0…1.
        above: Mean IoU, over the classes present, of the pixels in segments of predicted IoU >= t, ``(k,)``;
            NaN where there is none.
        below: Of the pixels in segments of predicted IoU < t, ``(k,)``; likewise.
        share_above: Share of the pixels in segments of predicted IoU >= t, ``(k,)`` in 0…1.
    """

    thresholds: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]
    share_above: NDArray[np.float64]


class IouCurveSums:
    """Gathers :class:`IouCurves` over any number of images.

    Args:
        num_classes: Classes C.
        thresholds: t, rising.
        ignore: Truth of this value is left out; a prediction of it is no class, and counts as missed.
    """

    def __init__(self, num_classes: int, thresholds: ArrayLike = THRESHOLDS, ignore: int = NO_CLASS) -> None:
        self.num_classes, self.ignore = num_classes, ignore
        self.thresholds = np.asarray(thresholds, np.float64)
        self._counts = np.zeros((len(self.thresholds) + 1, num_classes, num_classes + 1), np.int64)

    def update(
        self,
        prediction: NDArray[np.integer],
        truth: NDArray[np.integer],
        predicted_iou: NDArray[np.floating],
    ) -> None:
        """Count one image.

        Args:
            prediction: Predicted ids, ``(H, W)``, 0 … C-1 or ``ignore``.
            truth: True predicted ids, ``(H, W)``, 0 … C-1 or ``ignore``.
            predicted_iou: Predicted IoU of each pixel's segment, ``(H, W)``.

        Raises:
            ValueError: If the shapes differ.
        """
        if not prediction.shape == truth.shape == predicted_iou.shape:
            raise ValueError(
                f"prediction {prediction.shape}, truth {truth.shape} and predicted_iou {predicted_iou.shape} "
                "must have one shape"
            )
        counted = truth != self.ignore
        reached = np.searchsorted(self.thresholds, predicted_iou[counted], side="right")
        predicted = np.where(prediction == self.ignore, self.num_classes, prediction)[counted]
        cell = (reached * self.num_classes + truth[counted]) * (self.num_classes + 1) + predicted
        self._counts += np.bincount(cell, minlength=self._counts.size).reshape(self._counts.shape)

    def curves(self) -> IouCurves:
        """What was gathered so far.

        Returns:
            Mean IoU on both sides of every threshold.
        """
        below = np.cumsum(self._counts, axis=0)[:-1]
        everything = self._counts.sum(axis=0)
        above = everything - below
        share = above.sum((1, 2)) / max(int(everything.sum()), 1)
        return IouCurves(self.thresholds, mean_iou(above), mean_iou(below), share)
