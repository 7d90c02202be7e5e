"""Scores of every image in a bounded number of bins: what resampling images needs, in memory of a fixed size."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation.detection import detection_rates

MOST_BINS, FEWEST_BINS = 1024, 16
CELLS = 2**22
"""Counts that are kept, 4 bytes each; of more images the bins are merged in pairs."""
Parts = tuple[NDArray[np.float32], NDArray[np.float32]]


class ImageHistograms:
    """Counts of the positive and of the negative scores of each image.

    The bins hold about equal shares of the positives and of the negatives that they were made from; scores of few
    different values have a bin each.

    Args:
        sample: Scores of the positives and of the negatives that decide the bins.
        cells: Counts that are kept at most, over all images.
    """

    def __init__(self, sample: Parts, cells: int = CELLS) -> None:
        self._cells = cells
        self._bins = MOST_BINS
        self._edges = _edges(sample)
        self._images: list[NDArray[np.uint32]] = []

    def __len__(self) -> int:
        return len(self._images)

    @property
    def cells(self) -> int:
        """Counts kept now, 4 bytes each."""
        return sum(image.size for image in self._images)

    @property
    def items(self) -> int:
        """Scores counted."""
        return sum(int(image.sum()) for image in self._images)

    def add(self, parts: Parts) -> None:
        """Count one image.

        Args:
            parts: Scores of its positives and of its negatives, ``(k,)`` each.
        """
        places = [np.searchsorted(self._edges, scores, side="right") for scores in parts]
        fine = np.array([np.bincount(place, minlength=MOST_BINS) for place in places], np.uint32)
        self._images.append(_merged(fine, MOST_BINS // self._bins))
        while 2 * self._bins * len(self._images) > self._cells and self._bins > FEWEST_BINS:
            self._bins //= 2
            self._images = [_merged(image, 2) for image in self._images]

    def rates(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """``auroc``, ``auprc`` and ``fpr95`` of every resample, as exactly as the bins allow.

        Args:
            weights: Number of times that every image is taken, ``(R, images)``.

        Returns:
            Name → ``(R,)``; NaN where a resample has no positive or no negative.
        """
        resampled = np.zeros((2, len(weights), self._bins))
        for start, images in self._some():
            resampled += np.tensordot(weights[:, start : start + len(images)], images, 1).transpose(1, 0, 2)
        return detection_rates(resampled[0, :, ::-1], resampled[1, :, ::-1])

    def _some(self, number: int = 256) -> Iterator[tuple[int, NDArray[np.float64]]]:
        for start in range(0, len(self._images), number):
            yield start, np.array(self._images[start : start + number], np.float64)


def _merged(counts: NDArray[np.uint32], number: int) -> NDArray[np.uint32]:
    """Counts ``(2, k)`` with this number of bins in a row as one."""
    merged: NDArray[np.uint32] = counts.reshape(2, -1, number).sum(axis=2, dtype=np.uint32)
    return merged


def _edges(sample: Parts) -> NDArray[np.float32]:
    """Lowest scores of all bins but the first, rising, fewer than :data:`MOST_BINS`."""
    values = np.unique(np.concatenate(sample))
    if len(values) < MOST_BINS:
        return values
    shares = np.linspace(0, 1, MOST_BINS // 2)
    sides = [np.quantile(side, shares, method="lower") for side in sample if len(side)]
    return np.unique(np.concatenate(sides))[: MOST_BINS - 1]
