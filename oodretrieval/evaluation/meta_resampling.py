"""Measures of a meta model on resampled images: all resamples at once, from weights of the images.

An image that is taken twice weighs its segments twice. So regression is a product of sums over images, and ranks are
sorted once for all resamples.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
_RESAMPLES_AT_ONCE, _VALUES_AT_ONCE = 50, 4_000_000


def resampled_measures(
    weights: NDArray[np.float64],
    frames: NDArray[np.integer],
    iou: ArrayLike,
    predicted: ArrayLike,
    score: ArrayLike,
    positive: ArrayLike,
) -> dict[str, Vector]:
    """Every measure of :class:`~oodretrieval.evaluation.MetaMeasures`, of every resample.

    Args:
        weights: Number of times that each image is taken, ``(R, images)``; see
            :func:`~oodretrieval.evaluation.block_weights`.
        frames: Image of each segment, ``(n,)``, 0 … images - 1.
        iou: True IoU, ``(n,)``, 0…1.
        predicted: Predicted IoU, ``(n,)``.
        score: Higher where IoU > 0 is likelier, ``(n,)``.
        positive: Whether the segment is predicted to have IoU > 0, ``(n,)`` bool.

    Returns:
        ``r2``, ``rmse``, ``auroc``, ``auprc``, ``accuracy`` → ``(R,)``; NaN where a resample leaves it undefined.
    """
    truth = np.asarray(iou, np.float64)
    error = (truth - np.asarray(predicted, np.float64)) ** 2
    right = (np.asarray(positive, bool) == (truth > 0)).astype(np.float64)
    values = np.stack([np.ones_like(truth), truth, truth**2, error, right])
    per_image = np.stack([np.bincount(frames, row, weights.shape[1]) for row in values])
    count, total, squares, errors, hits = per_image @ weights.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - total**2 / count
        measures = {
            "r2": np.where(spread > 1e-12 * np.maximum(squares, 1e-300), 1 - errors / spread, np.nan),
            "rmse": np.sqrt(errors / count),
            "accuracy": hits / count,
        }
    return {**measures, **resampled_ranks(weights, frames, truth > 0, score)}


def resampled_ranks(
    weights: NDArray[np.float64], frames: NDArray[np.integer], positive: NDArray[np.bool_], score: ArrayLike
) -> dict[str, Vector]:
    """How well a score separates positive items, such as unknown segments, in every resample of the images.

    Args:
        weights: Number of times that each image is taken, ``(R, images)``.
        frames: Image of each item, ``(n,)``, 0 … images - 1.
        positive: ``(n,)``.
        score: Higher where more positive, ``(n,)``.

    Returns:
        ``auroc``, ``auprc`` → ``(R,)``; NaN where a resample leaves it undefined.
    """
    ranks = list(_ranks(weights, frames, positive, np.asarray(score, np.float64)))
    auroc, auprc = (np.concatenate(column) for column in zip(*ranks, strict=True))
    return {"auroc": auroc, "auprc": auprc}


def _ranks(
    weights: NDArray[np.float64], frames: NDArray[np.integer], positive: NDArray[np.bool_], score: Vector
) -> Iterator[tuple[Vector, Vector]]:
    """AUROC and AUPRC of some resamples at a time; equal scores enter together."""
    order = np.argsort(-score, kind="stable")
    ordered, hits, image = score[order], positive[order].astype(np.float64), frames[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    together = min(_RESAMPLES_AT_ONCE, max(1, _VALUES_AT_ONCE // len(image)))
    for start in range(0, len(weights), together):
        amount = weights[start : start + together][:, image]
        true = np.cumsum(amount * hits, axis=1)[:, last]
        false = np.cumsum(amount * (1 - hits), axis=1)[:, last]
        gained = np.diff(true, prepend=0.0, axis=1)
        missed = np.diff(false, prepend=0.0, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(true > 0, true / (true + false), 0.0)
            auprc = (gained * precision).sum(axis=1) / true[:, -1]
            above = (missed * (true - gained / 2)).sum(axis=1)
            yield above / (true[:, -1] * false[:, -1]), auprc
