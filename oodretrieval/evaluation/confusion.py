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
        """Intersection over union per class, ``(C,)`` in 0…1; NaN for classes that occur nowhere."""
        hits = np.diag(self.counts)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        iou: NDArray[np.float64] = np.full(self.num_classes, np.nan)
        np.divide(hits, union, out=iou, where=union > 0)
        return iou

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in truth or prediction; NaN when nothing was counted."""
        iou = self.iou()
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of pixels predicted right, 0…1; NaN when nothing was counted."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")
