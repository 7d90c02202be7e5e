"""Counting scores image by image: exactly while they are few, in fixed bins beyond that.

The bins are those of the float's own bits: sign, exponent and the first bits of the mantissa. They are known
before any score is, reach over all numbers, and are as fine near 0 as far from it. Intervals are made from a
histogram of each image (:class:`~oodretrieval.evaluation.image_histograms.ImageHistograms`) and centred on the
value of the fine bins. A counter takes at most 100 MB, whatever the number of images.
"""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import EXACT_PIXELS
from oodretrieval.evaluation.bootstrap import block_weights, interval
from oodretrieval.evaluation.detection import ScoreCounts, detection_rates
from oodretrieval.evaluation.image_histograms import ImageHistograms, Parts

BITS = 22
"""Of each score in the histogram: 8192 bins between a number and its double. Only those in use take memory."""
SAMPLE_PIXELS = 2_000_000
"""Scores, of the first images, that decide the bins of the intervals."""
_SIGN = np.uint32(1 << 31)


class ScoreCounter:
    """Counts the scores of positive and negative pixels over any number of images.

    Args:
        exact_pixels: From more pixels on, bins are counted instead of keeping every score.
    """

    def __init__(self, exact_pixels: int = EXACT_PIXELS) -> None:
        self.exact_pixels = exact_pixels
        self._pixels = 0
        self._kept: list[Parts] = []
        self._bins: NDArray[np.int64] | None = None
        self._used = 1 << BITS, 0  # bins outside are never touched, and take no memory
        self._histograms: ImageHistograms | None = None

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
        self._pixels += values.size
        if self._bins is not None:
            self._count(parts, self._bins)
        if self._histograms is not None:
            self._histograms.add(parts)
        else:
            self._kept.append(parts)
        if self._bins is None and self._pixels > self.exact_pixels:
            self._bins = np.zeros((2, 1 << BITS), np.int64)
            for kept in self._kept:
                self._count(kept, self._bins)
        if self._histograms is None and self._pixels > max(self.exact_pixels, SAMPLE_PIXELS):
            self._histograms = self._of_kept()
            self._kept.clear()

    def _count(self, parts: Parts, bins: NDArray[np.int64]) -> None:
        for side, scores in enumerate(parts):
            if len(scores):
                places = _bin_of(scores, BITS)
                lowest = int(places.min())
                found = np.bincount(places - np.uint32(lowest))
                bins[side, lowest : lowest + len(found)] += found
                first, last = self._used
                self._used = min(first, lowest), max(last, lowest + len(found))

    def _of_kept(self) -> ImageHistograms:
        histograms = ImageHistograms(self._all_kept())
        for kept in self._kept:
            histograms.add(kept)
        return histograms

    def _all_kept(self) -> Parts:
        none = np.empty(0, np.float32)
        positives, negatives = (
            np.concatenate([none, *(kept[side] for kept in self._kept)]) for side in (0, 1)
        )
        return positives, negatives

    def counts(self) -> ScoreCounts:
        """Everything counted so far.

        Returns:
            Exact counts if the pixels were few, else those of bins.
        """
        if self._bins is None:
            return ScoreCounts.of_scores(*self._all_kept())
        first, last = self._used
        filled = first + np.flatnonzero(self._bins[:, first:last].any(axis=0))[::-1]
        positives, negatives = self._bins[:, filled]
        return ScoreCounts(_lower_edges(filled.astype(np.uint32), BITS), positives, negatives, False)

    def values(self) -> dict[str, float]:
        """Measures of everything counted so far.

        Returns:
            ``auroc``, ``auprc`` and ``fpr95``, 0…1 each; NaN where undefined.
        """
        counts = self.counts()
        rates = detection_rates(counts.positives.astype(np.float64), counts.negatives.astype(np.float64))
        return {name: float(value) for name, value in rates.items()}

    def resampled(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
        """The measures of resampled images: of the histograms, moved by what those are off without resampling.

        Counters of the same images have the same resamples, so that differences of their measures are paired.

        Args:
            block: Images in a row that are resampled together.
            repetitions: Number of resamples.
            seed: Same seed, same resamples.

        Returns:
            ``auroc``, ``auprc``, ``fpr95`` → ``(repetitions,)``, 0…1; NaN for a resample without positives or
            without negatives.

        Raises:
            ValueError: If no image was counted, or an argument is below 1.
        """
        histograms = self._histograms or self._of_kept()
        images = len(histograms)
        weights = block_weights(images, block=block, repetitions=repetitions, seed=seed)
        coarse, values = histograms.rates(np.ones((1, images))), self.values()
        resampled = histograms.rates(weights)
        return {name: np.clip(resampled[name] + (values[name] - coarse[name][0]), 0, 1) for name in resampled}

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % intervals of :meth:`values`: the middle of :meth:`resampled`.

        Args:
            block: Images in a row that are taken together, >= 1.
            repetitions: Number of resamples, >= 1.
            seed: Same seed, same intervals.

        Returns:
            Name → lower and upper end; NaN where undefined.
        """
        resamples = self.resampled(block=block, repetitions=repetitions, seed=seed)
        values = self.values()
        return {name: interval(resampled, value=values[name]) for name, resampled in resamples.items()}


def _bin_of(scores: NDArray[np.float32], bits: int) -> NDArray[np.uint32]:
    """Number of the bin of each score; higher scores have no lower number."""
    raw = (scores + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    ordered = raw ^ np.where(raw & _SIGN, np.uint32(0xFFFFFFFF), _SIGN)
    return np.asarray(ordered >> np.uint32(32 - bits), np.uint32)


def _lower_edges(bins: NDArray[np.uint32], bits: int) -> NDArray[np.float32]:
    """Lowest score of each bin."""
    ordered = bins << np.uint32(32 - bits)
    return (ordered ^ np.where(ordered & _SIGN, _SIGN, np.uint32(0xFFFFFFFF))).view(np.float32)
