"""How well a meta model predicts the IoU of segments (regression), and whether it is above 0 (classification).

A measure that is undefined is NaN; its docstring says where.

Source:
    Rottmann et al., arXiv:1811.00648.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.evaluation.detection import detection_rates


@dataclass(frozen=True)
class MetaMeasures:
    """Measures of a meta model on a set of segments.

    Attributes:
        segments: Number of segments.
        r2: Coefficient of determination of the IoU, up to 1.
        rmse: Root mean square error of the IoU, 0…1.
        auroc: Area under the ROC curve for ``iou > 0``, 0…1.
        auprc: Area under the precision-recall curve for ``iou > 0``, 0…1.
        accuracy: Share of segments for which ``iou > 0`` is predicted rightly, 0…1.
    """

    segments: int
    r2: float
    rmse: float
    auroc: float
    auprc: float
    accuracy: float


def meta_measures(
    iou: ArrayLike, predicted: ArrayLike, *, score: ArrayLike | None = None, threshold: ArrayLike = 0.5
) -> MetaMeasures:
    """All measures of a meta model at once.

    Args:
        iou: True adjusted IoU per segment, ``(n,)``, 0…1.
        predicted: Predicted IoU, ``(n,)``, 0…1.
        score: Higher where IoU > 0 is likelier, ``(n,)``: a classifier's probability; by default the predicted IoU.
        threshold: Score from which a segment counts as predicted ``iou > 0``, for the accuracy; take it from
            training data with :func:`accuracy_threshold`. One for all, or ``(n,)``.

    Returns:
        The measures.

    Raises:
        ValueError: If the shapes differ, or an IoU is negative (no truth) or not finite.
    """
    truth, estimate = _pair(iou, predicted)
    if (truth < 0).any():
        raise ValueError("iou must be >= 0; leave out the segments without truth (iou = -1)")
    hit = truth > 0
    ranked = estimate if score is None else np.asarray(score, np.float64)
    return MetaMeasures(
        segments=len(truth),
        r2=r2(truth, estimate),
        rmse=rmse(truth, estimate),
        auroc=auroc(hit, ranked),
        auprc=auprc(hit, ranked),
        accuracy=accuracy(hit, ranked, threshold),
    )


def r2(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Coefficient of determination: 1 minus the squared error over that of the mean.

    Args:
        truth: ``(n,)``.
        predicted: ``(n,)``.

    Returns:
        Up to 1; NaN where the truth never varies, and for ``n = 0``.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> r2([0.0, 0.5, 1.0], [0.0, 0.5, 0.5])
        0.5
    """
    values, estimate = _pair(truth, predicted)
    if not len(values) or (values == values[0]).all():
        return float("nan")
    error = float(((values - estimate) ** 2).sum())
    return 1 - error / float(((values - values.mean()) ** 2).sum())


def rmse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean square error.

    Args:
        truth: ``(n,)``.
        predicted: ``(n,)``.

    Returns:
        >= 0; NaN for ``n = 0``.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> rmse([0.0, 1.0], [0.5, 0.5])
        0.5
    """
    values, estimate = _pair(truth, predicted)
    return float(np.sqrt(((values - estimate) ** 2).mean())) if len(values) else float("nan")


def auroc(positive: ArrayLike, score: ArrayLike) -> float:
    """Chance that a positive scores higher than a negative, equal scores counting half.

    Args:
        positive: ``(n,)`` bool.
        score: ``(n,)``, higher = more positive.

    Returns:
        0…1; NaN where positives or negatives are missing.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> auroc([True, False, True], [0.9, 0.2, 0.2])
        0.75
    """
    return float(_rates(positive, score)["auroc"])


def auprc(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under the precision-recall curve by the step rule (average precision).

    Args:
        positive: ``(n,)`` bool.
        score: ``(n,)``, higher = more positive; equal scores enter together.

    Returns:
        0…1; NaN without positives.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> round(auprc([True, False, True], [0.9, 0.5, 0.2]), 4)
        0.8333
    """
    return float(_rates(positive, score)["auprc"])


def _rates(positive: ArrayLike, score: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """What :func:`~oodretrieval.evaluation.detection.detection_rates` makes of items, equal scores together."""
    truth, scores = _pair(positive, score)
    values, place = np.unique(-scores, return_inverse=True)
    hits = truth > 0
    counts = (np.bincount(place[side], minlength=len(values)) for side in (hits, ~hits))
    return detection_rates(*(side.astype(np.float64) for side in counts))


def accuracy(positive: ArrayLike, score: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Share of items classified rightly when those that score at least ``threshold`` count as positive.

    Args:
        positive: ``(n,)`` bool.
        score: ``(n,)``, higher = more positive.
        threshold: Where to cut; one for all, or ``(n,)``.

    Returns:
        0…1; NaN for ``n = 0``.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> accuracy([True, False, True, False], [0.9, 0.6, 0.6, 0.1])
        0.75
    """
    truth, scores = _pair(positive, score)
    return float(((scores >= np.asarray(threshold)) == (truth > 0)).mean()) if len(truth) else float("nan")


def accuracy_threshold(positive: ArrayLike, score: ArrayLike) -> float:
    """The threshold of the highest accuracy; take it from training data, never from what is evaluated.

    Args:
        positive: ``(n,)`` bool.
        score: ``(n,)``, higher = more positive.

    Returns:
        One of the scores, the lowest of the best; above all scores where nothing should count as positive;
        0.5 for ``n = 0``.

    Raises:
        ValueError: If the shapes differ or a value is not finite.

    Example:
        >>> accuracy_threshold([False, True, True], [0.1, 0.3, 0.8])
        0.3
    """
    truth, scores = _pair(positive, score)
    if not len(truth):
        return 0.5
    cuts = np.append(np.unique(scores), np.nextafter(scores.max(), np.inf))
    gain = np.where(truth > 0, 1, -1)[np.argsort(scores, kind="stable")]
    below = np.searchsorted(np.sort(scores), cuts)
    right = gain.sum() - np.append(0, np.cumsum(gain))[below]
    return float(cuts[np.argmax(right)])


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays of one shape (n,), got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("expected finite values, got NaN or infinity")
    return a, b
