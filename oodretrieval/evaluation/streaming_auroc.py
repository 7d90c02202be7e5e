"""Area under the ROC curve of more scores than fit into memory."""

import numpy as np
from numpy.typing import NDArray


class StreamingAUROC:
    """Chance that a positive scores higher than a negative, from counts in bins of equal width.

    Scores in one bin count as equal, that is, half. With scores spread over the range the error is of the order of
    one over the number of bins.

    Args:
        low: Scores below it count as equal.
        high: Scores above it count as equal.
        bins: Number of bins, at least 2.

    Raises:
        ValueError: If the range or the number of bins is empty.

    Example:
        >>> auroc = StreamingAUROC(0, 1)
        >>> auroc.update(positive=np.array([0.9, 0.2]), negative=np.array([0.2]))
        >>> auroc.value
        0.75
    """

    def __init__(self, low: float, high: float, bins: int = 2**16) -> None:
        if not low < high or bins < 2:
            raise ValueError(f"expected low < high and at least 2 bins, came {low}, {high} and {bins}")
        self.low, self.high = low, high
        self.counts = np.zeros((2, bins), np.int64)

    def update(self, positive: NDArray[np.floating], negative: NDArray[np.floating]) -> None:
        """Count scores.

        Args:
            positive: Scores of positives, any shape, higher = more positive.
            negative: Scores of negatives, any shape.

        Raises:
            ValueError: If a score is NaN.
        """
        bins = self.counts.shape[1]
        for counts, scores in zip(self.counts, (positive, negative), strict=True):
            if np.isnan(scores).any():
                raise ValueError("expected scores that can be compared, got NaN")
            share = (np.clip(scores.ravel(), self.low, self.high) - self.low) / (self.high - self.low)
            counts += np.bincount(np.minimum((share * bins).astype(np.intp), bins - 1), minlength=bins)

    @property
    def value(self) -> float:
        """AUROC, 0…1; NaN while positives or negatives are missing."""
        positive, negative = self.counts.astype(np.float64)
        below = np.cumsum(negative) - negative / 2
        pairs = positive.sum() * negative.sum()
        return float(positive @ below / pairs) if pairs else float("nan")
