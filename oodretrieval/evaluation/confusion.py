"""Streaming confusion matrix and the segmentation metrics that follow from it."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.labels import NO_CLASS


class ConfusionMatrix:
    """Counts of (true class, predicted class) over any number of images.

    Args:
        num_classes: Classes C.
        ignore: Truth of this value is left out.

    Attributes:
        counts: ``(C, C)`` int64, rows are the truth.
    """

    def __init__(self, num_classes: int, ignore: int = NO_CLASS) -> None:
        self.num_classes = num_classes
        self.ignore = ignore
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def update(self, prediction: NDArray[np.integer], truth: NDArray[np.integer]) -> None:
        """Count one image.

        Args:
            prediction: Predicted ids, any shape, 0 … C-1.
            truth: True predicted ids of the same shape, 0 … C-1 or ``ignore``.

        Raises:
            ValueError: If the shapes differ or an id is out of range.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} must have one shape")
        counted = truth != self.ignore
        rows, columns = truth[counted].astype(np.int64), prediction[counted].astype(np.int64)
        for name, ids in (("truth", rows), ("prediction", columns)):
            if ids.size and not (ids.min() >= 0 and ids.max() < self.num_classes):
                raise ValueError(f"{name} has ids {ids.min()}…{ids.max()}, expected 0…{self.num_classes - 1}")
        pairs = np.bincount(rows * self.num_classes + columns, minlength=self.num_classes**2)
        self.counts += pairs.reshape(self.num_classes, self.num_classes)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union (Jaccard) per class, ``(C,)`` in 0…1; NaN for classes that occur nowhere."""
        hits, truth, predicted = self._margins()
        return _ratio(hits, truth + predicted - hits)

    def dice(self) -> NDArray[np.float64]:
        """Dice (F1) per class, ``(C,)`` in 0…1; NaN for classes that occur nowhere."""
        hits, truth, predicted = self._margins()
        return _ratio(2 * hits, truth + predicted)

    def accuracy(self) -> NDArray[np.float64]:
        """Share of the pixels of each class predicted right, ``(C,)`` in 0…1; NaN for classes without truth."""
        hits, truth, _ = self._margins()
        return _ratio(hits, truth)

    def frequencies(self) -> NDArray[np.float64]:
        """Share of each class in the truth, ``(C,)``, sum 1; NaN when nothing was counted."""
        truth = self.counts.sum(1)
        return _ratio(truth, np.full_like(truth, truth.sum()))

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in truth or prediction; NaN when nothing was counted."""
        return _mean(self.iou())

    def mean_dice(self) -> float:
        """Mean Dice over the classes that occur in truth or prediction; NaN when nothing was counted."""
        return _mean(self.dice())

    def mean_accuracy(self) -> float:
        """Mean accuracy over the classes that occur in the truth; NaN when nothing was counted."""
        return _mean(self.accuracy())

    def frequency_weighted_iou(self) -> float:
        """IoU weighted by the share of each class in the truth, 0…1; NaN when nothing was counted."""
        frequencies = self.frequencies()
        there = frequencies > 0
        return float(self.iou()[there] @ frequencies[there]) if there.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of pixels predicted right, 0…1; NaN when nothing was counted."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")

    def _margins(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Per class: pixels predicted right, in the truth, in the prediction."""
        return np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
