"""How well the components of a thresholded score meet the unknown objects.

Source:
    Chan et al., SegmentMeIfYouCan: A Benchmark for Anomaly Segmentation, arXiv:2104.14812.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oodretrieval.choices import MIN_PREDICTED, MIN_TRUE
from oodretrieval.evaluation.bootstrap import block_weights, interval
from oodretrieval.masks import EIGHT

UNKNOWN, KNOWN, IGNORE = 1, 0, 255
TAUS = tuple(k / 100 for k in range(25, 76, 5))
"""Overlaps from which a component counts as met."""


@dataclass(frozen=True, eq=False)
class ComponentScores:
    """Overlap of every component, of one image or of many.

    Attributes:
        siou: Adjusted IoU of each true component, ``(n,)`` in 0…1.
        ppv: Share of each predicted component that is truth, ``(m,)`` in 0…1.
    """

    siou: NDArray[np.float64]
    ppv: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.float64]:
        """TP, FN and FP at every τ, ``(3, 11)``: they add up over images."""
        taus = np.array(TAUS)[:, None]
        met = (self.siou >= taus).sum(axis=1)
        return np.array([met, len(self.siou) - met, (self.ppv < taus).sum(axis=1)], np.float64)

    @property
    def f1(self) -> dict[float, float]:
        """τ → F1, 0…1; 0 where there is neither truth nor prediction."""
        return dict(zip(TAUS, map(float, _f1(self.counts)), strict=True))

    @property
    def mean_f1(self) -> float:
        """Mean over all τ."""
        return float(_f1(self.counts).mean())

    @property
    def mean_siou(self) -> float:
        """Mean over the true components; 0 without any."""
        return float(self.siou.mean()) if len(self.siou) else 0.0

    @property
    def mean_ppv(self) -> float:
        """Mean over the predicted components; 0 without any."""
        return float(self.ppv.mean()) if len(self.ppv) else 0.0


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 from TP, FN, FP in the last axis but one."""
    met, missed, wrong = np.moveaxis(counts, -2, 0)
    divisor = 2 * met + missed + wrong
    return np.where(divisor > 0, 2 * met / np.maximum(divisor, 1), 0.0)


def component_scores(
    predicted_mask: NDArray[np.bool_],
    truth: NDArray[np.integer],
    *,
    ignore: int = IGNORE,
    min_predicted: int = MIN_PREDICTED,
    min_true: int = MIN_TRUE,
) -> ComponentScores:
    """Compare the 8-connected components of a thresholded score with those of the truth.

    For a true component k and the union P of the predicted components that touch it,
    ``sIoU = |k ∩ P| / (|k ∪ P| - |P ∩ other true components|)``; for a predicted component,
    ``PPV = |it ∩ truth| / |it|``.

    Args:
        predicted_mask: Where the score is above its threshold, ``(H, W)``.
        truth: 1 unknown, 0 known, ``ignore`` void, ``(H, W)``.
        ignore: Void: predicted pixels there are removed before anything is counted.
        min_predicted: Smaller predicted components are dropped, pixels. The default is of the benchmark's 1280×720.
        min_true: Smaller true components become void, pixels.

    Returns:
        Overlap of every component that is left, and F1 of them.

    Raises:
        ValueError: If the shapes differ or the truth has other values.

    Example:
        >>> truth = np.array([[1, 1, 0, 0, 1]])
        >>> scores = component_scores(truth == 1, truth, min_predicted=2, min_true=1)
        >>> scores.siou.tolist(), scores.ppv.tolist(), round(scores.mean_f1, 3)
        ([1.0, 0.0], [1.0], 0.667)
    """
    predicted, labels = np.asarray(predicted_mask, bool), np.asarray(truth)
    _require_fitting(predicted, labels, ignore)
    true_ids, true_sizes = _components(labels == UNKNOWN, min_true)
    void = (labels == ignore) | ((labels == UNKNOWN) & (true_ids == 0))
    found_ids, found_sizes = _components(predicted & ~void, min_predicted)
    true, found, shared = _overlaps(true_ids, found_ids)
    n, m = len(true_sizes), len(found_sizes)
    covered = np.bincount(found, shared, m + 1)[1:]  # truth within each predicted component
    inside = np.bincount(true, shared, n + 1)[1:]
    # |k ∪ P| - |P ∩ others| = |k| + |P| - |P ∩ truth|, as P ∩ truth is P ∩ k and P ∩ others
    beyond = np.bincount(true, (found_sizes - covered)[found - 1], n + 1)[1:]
    return ComponentScores(inside / (true_sizes + beyond), covered / found_sizes)


def _require_fitting(predicted: NDArray[np.bool_], truth: NDArray[np.integer], ignore: int) -> None:
    if predicted.ndim != 2 or predicted.shape != truth.shape:
        raise ValueError(
            f"expected predicted_mask and truth of one shape (H, W), got {predicted.shape} and {truth.shape}"
        )
    strange = np.setdiff1d(truth, (UNKNOWN, KNOWN, ignore))
    if strange.size:
        raise ValueError(
            f"truth must be 1 unknown, 0 known or {ignore} void, but holds {strange[:5].tolist()}"
        )


def _components(mask: NDArray[np.bool_], smallest: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Components of at least this number of pixels: ids ``(H, W)``, 1…n and 0 elsewhere, and their sizes ``(n,)``."""
    ids, count = ndimage.label(mask, EIGHT)
    sizes = np.bincount(ids.ravel(), minlength=count + 1)
    kept = sizes >= smallest
    kept[0] = False
    renumbered = np.where(kept, np.cumsum(kept), 0)
    return np.asarray(renumbered[ids], np.intp), sizes[kept]


def _overlaps(
    first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of ids that share pixels, and how many."""
    both = (first > 0) & (second > 0)
    columns = int(second.max(initial=0)) + 1
    pairs, shared = np.unique(first[both] * columns + second[both], return_counts=True)
    return pairs // columns, pairs % columns, shared


def pool_components(images: Sequence[ComponentScores]) -> ComponentScores:
    """The components of many images together; F1 is of the pool, not a mean over images.

    Args:
        images: Components of each image.

    Returns:
        Those of all.
    """
    none = np.empty(0)
    return ComponentScores(
        np.concatenate([none, *(image.siou for image in images)]),
        np.concatenate([none, *(image.ppv for image in images)]),
    )


def component_intervals(
    images: Sequence[ComponentScores], *, block: int, repetitions: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the pooled measures by bootstrap over images.

    Args:
        images: Components of each image, in the order of the dataset.
        block: Images in a row that are taken together, >= 1.
        repetitions: Number of resamples, >= 1.
        seed: Same seed, same intervals.

    Returns:
        ``mean_siou``, ``mean_ppv``, ``mean_f1`` → lower and upper end. Resamples without a true component are left
        out; NaN where there is none at all.
    """
    weights = block_weights(len(images), block=block, repetitions=repetitions, seed=seed)
    counts = np.array([image.counts for image in images])
    resampled = {"mean_f1": _f1(np.tensordot(weights, counts, 1)).mean(axis=-1)}
    number = {}
    for name in ("siou", "ppv"):
        values = [getattr(image, name) for image in images]
        number[name] = weights @ np.array([len(v) for v in values])
        total = weights @ np.array([v.sum() for v in values])
        resampled[f"mean_{name}"] = total / np.maximum(number[name], 1)
    pooled, shown = pool_components(images), number["siou"] > 0
    return {
        name: interval(np.where(shown, values, np.nan), value=getattr(pooled, name))
        for name, values in resampled.items()
    }
