"""Streaming confusion matrix and the segmentation metrics that follow from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation.bootstrap import block_weights, interval
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
        return class_iou(self.counts)

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in truth or prediction; NaN when nothing was counted."""
        return float(mean_iou(self.counts))

    def pixel_accuracy(self) -> float:
        """Share of pixels predicted right, 0…1; NaN when nothing was counted."""
        return float(pixel_accuracy(self.counts))


def class_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union per class.

    Args:
        counts: One or many confusion matrices, ``(…, C, C)``, rows are the truth.

    Returns:
        ``(…, C)`` in 0…1; NaN for classes that occur neither in truth nor in prediction.

    Example:
        >>> class_iou(np.array([[2, 1], [0, 1]])).round(2).tolist()
        [0.67, 0.5]
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(-2) + counts.sum(-1) - hits
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of :func:`class_iou` over the classes that occur, ``(…)``; NaN where nothing was counted."""
    iou = class_iou(counts)
    there = ~np.isnan(iou)
    number = there.sum(axis=-1)
    total = np.where(there, iou, 0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def pixel_accuracy(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Share of pixels predicted right, ``(…)`` in 0…1; NaN where nothing was counted."""
    total = counts.sum((-2, -1))
    hits = np.trace(counts, axis1=-2, axis2=-1)
    return np.where(total > 0, hits / np.maximum(total, 1), np.nan)


def confusion_intervals(
    images: Sequence[NDArray[np.int64]], *, block: int, repetitions: int, seed: int = 0
) -> dict[str, Any]:
    """95 % intervals by bootstrap over images.

    Args:
        images: Confusion matrix of each image, ``(C, C)``, in the order of the dataset.
        block: Images in a row that are drawn together.
        repetitions: How often to draw.
        seed: Same seed, same intervals.

    Returns:
        ``mean_iou`` and ``pixel_accuracy`` → lower and upper end; ``iou`` → the same for each class; NaN where
        it never occurs.
    """
    weights = block_weights(len(images), block=block, repetitions=repetitions, seed=seed)
    drawn = np.tensordot(weights, np.array(images), 1)
    return {
        "mean_iou": interval(mean_iou(drawn)),
        "pixel_accuracy": interval(pixel_accuracy(drawn)),
        "iou": [interval(values) for values in class_iou(drawn).T],
    }
