"""Counting scores image by image: exactly while they fit in memory, in fixed bins beyond that.

The bins are those of the float's own bits: sign, exponent and the first bits of the mantissa. They are known
before any score is, reach over all numbers, and are as fine near 0 as far from it.
"""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation.bootstrap import block_weights, interval
from oodretrieval.evaluation.detection import ScoreCounts, detection_rates

BITS = 20
"""Of each score in the histogram: a million bins, 2048 between a number and its double."""
IMAGE_BITS = 16
"""Of each score in the histogram of a single image, from which the intervals are made: 128 to the double."""
EXACT_PIXELS = 20_000_000
"""Scores that are kept as they are, 4 bytes each."""
_IMAGES_AT_ONCE = 256
_SIGN = np.uint32(1 << 31)


class ScoreCounter:
    """Counts the scores of positive and negative pixels over any number of images.

    Args:
        exact_pixels: From more pixels on, bins are counted instead of keeping every score.
    """

    def __init__(self, exact_pixels: int = EXACT_PIXELS) -> None:
        self.exact_pixels = exact_pixels
        self._pixels = 0
        self._kept: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._bins: NDArray[np.int64] | None = None
        self._images: list[tuple[NDArray[np.uint32], NDArray[np.int64]]] = []

    def update(self, scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> None:
        """Count one image.

        Args:
            scores: Of its pixels, any shape, finite; those of void are left out by the caller.
            positive: Whether each is unknown, of the same shape.

        Raises:
            ValueError: If the shapes differ or a score is not finite.
        """
        values = np.asarray(scores, np.float32)
        if values.shape != positive.shape:
            raise ValueError(f"scores {values.shape} and positive {np.shape(positive)} must have one shape")
        if not np.isfinite(values).all():
            raise ValueError("expected finite scores, got NaN or infinity")
        parts = values[positive], values[~positive]
        self._images.append(_sparse(parts))
        self._pixels += values.size
        if self._bins is None:
            self._kept.append(parts)
            if self._pixels > self.exact_pixels:
                self._bins = np.zeros((2, 1 << BITS), np.int64)
                for kept in self._kept:
                    _count(kept, self._bins)
                self._kept.clear()
        else:
            _count(parts, self._bins)

    def counts(self) -> ScoreCounts:
        """Everything counted so far; exact if it still fitted."""
        if self._bins is None:
            sides = ([kept[side] for kept in self._kept] for side in (0, 1))
            none = np.empty(0, np.float32)
            return ScoreCounts.of_scores(*(np.concatenate([none, *side]) for side in sides))
        filled = np.flatnonzero(self._bins.any(axis=0))[::-1]
        positives, negatives = self._bins[:, filled]
        return ScoreCounts(_lower_edges(filled.astype(np.uint32), BITS), positives, negatives, False)

    def draws(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
        """The figures of images drawn anew, of scores in coarser bins.

        Counters of the same images have the same draws, so that differences of their figures are paired.

        Args:
            block: Images in a row that are drawn together.
            repetitions: How often to draw.
            seed: Same seed, same draws.

        Returns:
            ``auroc``, ``auprc``, ``fpr95`` → ``(repetitions,)``; their middle is an interval, see
            :func:`~oodretrieval.evaluation.interval`.

        Raises:
            ValueError: If no image was counted, or an argument is below 1.
        """
        weights = block_weights(len(self._images), block=block, repetitions=repetitions, seed=seed)
        used = np.unique(np.concatenate([bins for bins, _ in self._images]))
        drawn = np.zeros((2, repetitions, len(used)))
        for start in range(0, len(self._images), _IMAGES_AT_ONCE):
            images = self._images[start : start + _IMAGES_AT_ONCE]
            dense = np.zeros((2, len(images), len(used)))
            for row, (bins, counts) in enumerate(images):
                dense[:, row, np.searchsorted(used, bins)] = counts
            drawn += weights[:, start : start + len(images)] @ dense
        return detection_rates(drawn[0, :, ::-1], drawn[1, :, ::-1])

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % intervals of the figures: the middle of :meth:`draws`."""
        draws = self.draws(block=block, repetitions=repetitions, seed=seed)
        return {name: interval(values) for name, values in draws.items()}


Parts = tuple[NDArray[np.float32], NDArray[np.float32]]


def _count(parts: Parts, bins: NDArray[np.int64]) -> None:
    for side, scores in enumerate(parts):
        found = np.bincount(_bin_of(scores, BITS))
        bins[side, : len(found)] += found


def _sparse(parts: Parts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The filled bins of one image, rising ``(k,)``, and the counts of positives and negatives ``(2, k)``."""
    dense = [np.bincount(_bin_of(scores, IMAGE_BITS), minlength=1 << IMAGE_BITS) for scores in parts]
    filled = np.flatnonzero(dense[0] + dense[1])
    return filled.astype(np.uint32), np.array([side[filled] for side in dense])


def _bin_of(scores: NDArray[np.float32], bits: int) -> NDArray[np.uint32]:
    """Number of the bin of each score; higher scores have no lower number."""
    raw = (scores + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    ordered = raw ^ np.where(raw & _SIGN, np.uint32(0xFFFFFFFF), _SIGN)
    return np.asarray(ordered >> np.uint32(32 - bits), np.uint32)


def _lower_edges(bins: NDArray[np.uint32], bits: int) -> NDArray[np.float32]:
    """Lowest score of each bin."""
    ordered = bins << np.uint32(32 - bits)
    return (ordered ^ np.where(ordered & _SIGN, _SIGN, np.uint32(0xFFFFFFFF))).view(np.float32)
