"""Streaming confusion matrix and the segmentation metrics that follow from it."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation.bootstrap import block_weights, interval
from oodretrieval.labels import NO_CLASS


class ConfusionMatrix:
    """Counts of (true class, predicted class) over any number of images.

    Args:
        num_classes: Classes C.
        ignore: Truth of this value is left out; a prediction of it is no class.

    Attributes:
        counts: ``(C, C + 1)`` int64, rows are the truth; the last column counts pixels for which no class is
            predicted. They count as missed.
    """

    def __init__(self, num_classes: int, ignore: int = NO_CLASS) -> None:
        self.num_classes = num_classes
        self.ignore = ignore
        self.counts = np.zeros((num_classes, num_classes + 1), np.int64)

    def update(self, prediction: NDArray[np.integer], truth: NDArray[np.integer]) -> None:
        """Count one image.

        Args:
            prediction: Predicted ids, any shape, 0 … C-1 or ``ignore``.
            truth: True predicted ids of the same shape, 0 … C-1 or ``ignore``.

        Raises:
            ValueError: If the shapes differ or an id is out of range.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} must have one shape")
        counted = truth != self.ignore
        rows, columns = truth[counted].astype(np.int64), prediction[counted].astype(np.int64)
        masked = (columns == self.ignore) & (self.ignore >= self.num_classes)
        for name, ids in (("truth", rows), ("prediction", columns[~masked])):
            if ids.size and not (ids.min() >= 0 and ids.max() < self.num_classes):
                raise ValueError(f"{name} has ids {ids.min()}…{ids.max()}, expected 0…{self.num_classes - 1}")
        columns[masked] = self.num_classes
        pairs = np.bincount(rows * (self.num_classes + 1) + columns, minlength=self.counts.size)
        self.counts += pairs.reshape(self.counts.shape)

    def iou(self) -> NDArray[np.float64]:
        """:func:`class_iou` of everything counted.

        Returns:
            ``(C,)``, see there.
        """
        return class_iou(self.counts)

    def dice(self) -> NDArray[np.float64]:
        """:func:`class_dice` of everything counted.

        Returns:
            ``(C,)``, see there.
        """
        return class_dice(self.counts)

    def accuracy(self) -> NDArray[np.float64]:
        """:func:`class_accuracy` of everything counted.

        Returns:
            ``(C,)``, see there.
        """
        return class_accuracy(self.counts)

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in truth or prediction.

        Returns:
            0…1; NaN when nothing was counted.
        """
        return float(mean_iou(self.counts))

    def mean_dice(self) -> float:
        """Mean Dice over the classes that occur in truth or prediction.

        Returns:
            0…1; NaN when nothing was counted.
        """
        return float(mean_dice(self.counts))

    def mean_accuracy(self) -> float:
        """Mean accuracy over the classes that occur in the truth.

        Returns:
            0…1; NaN when nothing was counted.
        """
        return float(mean_accuracy(self.counts))

    def frequency_weighted_iou(self) -> float:
        """IoU weighted by the share of each class in the truth.

        Returns:
            0…1; NaN when nothing was counted.
        """
        return float(frequency_weighted_iou(self.counts))

    def pixel_accuracy(self) -> float:
        """Share of pixels predicted right.

        Returns:
            0…1; NaN when nothing was counted.
        """
        return float(pixel_accuracy(self.counts))


def class_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union (Jaccard) per class.

    Args:
        counts: One or many confusion matrices, ``(…, C, C + 1)`` or, without the column of pixels for which no class
            is predicted, ``(…, C, C)``; rows are the truth; so below.

    Returns:
        ``(…, C)`` in 0…1; NaN for classes that occur neither in truth nor in prediction.

    Example:
        >>> class_iou(np.array([[2, 1], [0, 1]])).round(2).tolist()
        [0.67, 0.5]
    """
    hits, truth, predicted = _margins(counts)
    return _ratio(hits, truth + predicted - hits)


def class_dice(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Dice (F1) per class.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…, C)``, 0…1; NaN for classes that occur neither in truth nor in prediction.

    Example:
        >>> class_dice(np.array([[2, 1], [0, 1]])).round(2).tolist()
        [0.8, 0.67]
    """
    hits, truth, predicted = _margins(counts)
    return _ratio(2 * hits, truth + predicted)


def class_accuracy(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the pixels of each class that are predicted right (recall).

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…, C)``, 0…1; NaN for classes without truth.
    """
    hits, truth, _ = _margins(counts)
    return _ratio(hits, truth)


def mean_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of :func:`class_iou` over the classes that occur.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…)``, 0…1; NaN where nothing was counted.
    """
    return _mean(class_iou(counts))


def mean_dice(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of :func:`class_dice` over the classes that occur.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…)``, 0…1; NaN where nothing was counted.
    """
    return _mean(class_dice(counts))


def mean_accuracy(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of :func:`class_accuracy` over the classes with truth.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…)``, 0…1; NaN where nothing was counted.
    """
    return _mean(class_accuracy(counts))


def frequency_weighted_iou(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of :func:`class_iou`, weighted by the share of each class in the truth.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…)``, 0…1; NaN where nothing was counted.
    """
    truth = counts.sum(-1)
    return _ratio((truth * np.nan_to_num(class_iou(counts))).sum(-1), truth.sum(-1))


def pixel_accuracy(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Share of pixels that are predicted right.

    Args:
        counts: As of :func:`class_iou`.

    Returns:
        ``(…)``, 0…1; NaN where nothing was counted.
    """
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def _margins(counts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Per class, ``(…, C)``: pixels predicted right, in the truth, in the prediction."""
    classes = counts.shape[-2]
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1), counts[..., :classes].sum(-2)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    there = ~np.isnan(values)
    return _ratio(np.where(there, values, 0).sum(-1), there.sum(-1))


PER_CLASS = {"iou": class_iou, "dice": class_dice, "accuracy": class_accuracy}
"""Name of a measure of every class → its function of confusion matrices."""
OVERALL = {
    "mean_iou": mean_iou,
    "frequency_weighted_iou": frequency_weighted_iou,
    "mean_dice": mean_dice,
    "mean_accuracy": mean_accuracy,
    "pixel_accuracy": pixel_accuracy,
}
"""Name of a measure of all classes together → its function of confusion matrices."""


def confusion_intervals(
    images: Sequence[NDArray[np.int64]],
    *,
    block: int,
    repetitions: int,
    seed: int = 0,
    names: Collection[str] = ("mean_iou", "pixel_accuracy", "iou"),
) -> dict[str, Any]:
    """95 % intervals by bootstrap over images.

    Args:
        images: Confusion matrix of each image, ``(C, C + 1)``, in the order of the dataset.
        block: Images in a row that are taken together, >= 1.
        repetitions: Number of resamples, >= 1.
        seed: Same seed, same intervals.
        names: Measures wanted, of :data:`OVERALL` and :data:`PER_CLASS`.

    Returns:
        Name of a measure of all classes → lower and upper end; of a measure per class → the same for each class;
        NaN where it never occurs, and where :func:`~oodretrieval.evaluation.interval` says nothing.
    """
    weights = block_weights(len(images), block=block, repetitions=repetitions, seed=seed)
    matrices = np.array(images)
    resampled, whole = np.tensordot(weights, matrices, 1), matrices.sum(axis=0)
    overall = {
        name: interval(measure(resampled), value=float(measure(whole)))
        for name, measure in OVERALL.items()
        if name in names
    }
    per_class = {
        name: [
            interval(values, value=float(value))
            for values, value in zip(measure(resampled).T, measure(whole), strict=True)
        ]
        for name, measure in PER_CLASS.items()
        if name in names
    }
    return {**overall, **per_class}
