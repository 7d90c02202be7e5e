"""How well a score finds the positives among very many items: ROC, precision and recall, from counts.

The counts are per distinct score, then every measure is exact; or per bin of scores, then every measure comes
with a bound on its error: whatever the order inside the bins is, the exact measure is no farther away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

RECALL = 0.95
"""Share of true positives at which the false positives are given."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Positives and negatives by score, highest first.

    Attributes:
        thresholds: Lowest score of each bin, ``(k,)``, falling.
        positives: Positive items in each bin, ``(k,)``.
        negatives: Negative items in each bin, ``(k,)``.
        exact: Whether every bin is one single score.
    """

    thresholds: NDArray[np.float32]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    exact: bool

    @classmethod
    def of_scores(cls, positive_scores: ArrayLike, negative_scores: ArrayLike) -> "ScoreCounts":
        """Exact counts of scores.

        Args:
            positive_scores: Of all positives, any shape.
            negative_scores: Of all negatives, any shape.

        Returns:
            The counts, by distinct score.
        """
        above, positives = np.unique(np.asarray(positive_scores, np.float32), return_counts=True)
        below, negatives = np.unique(np.asarray(negative_scores, np.float32), return_counts=True)
        scores = np.union1d(above, below)
        counts = np.zeros((2, len(scores)), np.int64)
        counts[0, np.searchsorted(scores, above)] = positives
        counts[1, np.searchsorted(scores, below)] = negatives
        return cls(scores[::-1], counts[0, ::-1], counts[1, ::-1], True)

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """The ROC curve, and precision over recall.

        Returns:
            False positive rate, true positive rate (recall) and precision at every threshold, ``(k,)`` each.
        """
        hits, alarms = np.cumsum(self.positives), np.cumsum(self.negatives)
        total = max(int(self.positives.sum()), 1), max(int(self.negatives.sum()), 1)
        return alarms / total[1], hits / total[0], hits / (hits + alarms)

    def quantile(self, share: float) -> float:
        """The score that a share of all items does not exceed.

        Args:
            share: 0…1.

        Returns:
            One of ``thresholds``; where scores were binned, exact to the width of a bin.
        """
        items = (self.positives + self.negatives)[::-1].cumsum()
        place = np.searchsorted(items, share * items[-1])
        return float(self.thresholds[::-1][min(int(place), len(items) - 1)])

    def best_f1_threshold(self) -> float:
        """The threshold of the highest F1 of items.

        Returns:
            One of ``thresholds``, the highest of equally good ones.

        Raises:
            ValueError: If there is no positive.
        """
        if not self.positives.sum():
            raise ValueError("no positive item; a threshold by F1 needs some")
        hits, alarms = np.cumsum(self.positives), np.cumsum(self.negatives)
        return float(self.thresholds[np.argmax(2 * hits / (hits + alarms + hits[-1]))])

    def false_positive_threshold(self, rate: float) -> float:
        """The lowest threshold at which few negatives score as high.

        Args:
            rate: Largest share of the negatives, 0…1.

        Returns:
            One of ``thresholds``, or just above the highest.

        Raises:
            ValueError: If there is no negative.
        """
        total = int(self.negatives.sum())
        if not total:
            raise ValueError("no negative item; a threshold by false positives needs some")
        allowed = np.count_nonzero(np.cumsum(self.negatives) / total <= rate)
        if not allowed:
            return float(np.nextafter(self.thresholds[0], np.float32(np.inf)))
        return float(self.thresholds[allowed - 1])


@dataclass(frozen=True)
class DetectionMeasures:
    """What a score is worth, and how far each measure may be off because scores were binned.

    Attributes:
        auroc: Chance that a positive scores higher than a negative, equal ones counting half, 0…1; NaN where
            positives or negatives are missing.
        auprc: Area under precision over recall by the step rule, 0…1; NaN without positives.
        fpr95: Share of the negatives at the highest threshold that 95 % of the positives reach, 0…1; NaN where
            positives or negatives are missing.
        prevalence: Share of positives, 0…1: the auprc of chance.
        positives: How many.
        negatives: How many.
        auroc_error: Bound on the error of ``auroc``; 0 where exact, as below.
        auprc_error: Of ``auprc``.
        fpr95_error: Of ``fpr95``.
    """

    auroc: float
    auprc: float
    fpr95: float
    prevalence: float
    positives: int
    negatives: int
    auroc_error: float = 0.0
    auprc_error: float = 0.0
    fpr95_error: float = 0.0


def detection_measures(counts: ScoreCounts) -> DetectionMeasures:
    """All measures, with the bounds on their errors.

    Args:
        counts: From :meth:`ScoreCounts.of_scores` or a :class:`~oodretrieval.evaluation.ScoreCounter`.

    Returns:
        The measures.

    Example:
        >>> measures = detection_measures(ScoreCounts.of_scores([0.9, 0.2], [0.5]))
        >>> measures.auroc, round(measures.auprc, 4), measures.fpr95
        (0.5, 0.8333, 1.0)
    """
    positives, negatives = counts.positives.astype(np.float64), counts.negatives.astype(np.float64)
    total = int(counts.positives.sum()), int(counts.negatives.sum())
    values = detection_rates(positives, negatives)
    errors = {} if counts.exact else _error_bounds(positives, negatives, float(values["auprc"]))
    return DetectionMeasures(
        **{name: float(value) for name, value in values.items()},
        prevalence=total[0] / max(sum(total), 1),
        positives=total[0],
        negatives=total[1],
        **errors,
    )


def detection_rates(positives: Floats, negatives: Floats) -> dict[str, Floats]:
    """``auroc``, ``auprc`` and ``fpr95`` of many sets of counts at once.

    Args:
        positives: In each bin, highest scores first, ``(…, k)``; need not be whole.
        negatives: Likewise.

    Returns:
        Name → ``(…)``; NaN where undefined, see :class:`DetectionMeasures`.
    """
    if not positives.shape[-1]:
        positives = negatives = np.zeros((*positives.shape[:-1], 1))
    hits, alarms = positives.cumsum(axis=-1), negatives.cumsum(axis=-1)
    p, n = positives.sum(axis=-1), negatives.sum(axis=-1)
    some_p, some_n = np.maximum(p, 1), np.maximum(n, 1)
    right = (positives * (n[..., None] - alarms + negatives / 2)).sum(axis=-1)
    precision = hits / np.maximum(hits + alarms, 1)
    reached = (hits / some_p[..., None] >= RECALL).argmax(axis=-1)
    alarms_there = np.take_along_axis(alarms, reached[..., None], axis=-1)[..., 0]
    both = (p > 0) & (n > 0)
    return {
        "auroc": np.where(both, right / (some_p * some_n), np.nan),
        "auprc": np.where(p > 0, (positives * precision).sum(axis=-1) / some_p, np.nan),
        "fpr95": np.where(both, alarms_there / some_n, np.nan),
    }


def _error_bounds(positives: Floats, negatives: Floats, auprc: float) -> dict[str, float]:
    """How far the measures of exact scores can be from those of bins.

    Inside a bin the positives may all come first or last. Last they have the precisions
    ``(T + i) / (T + F + n + i)``, i = 1 … p, after T positives and F negatives, whose sum is a difference of
    digamma functions; first, and equal, ``(T + p) / (T + F + p)``.
    """
    p, n = positives.sum(), negatives.sum()
    if not p or not n:
        return {}
    hits, alarms = positives.cumsum(), negatives.cumsum()
    lowest = positives - alarms * (digamma(hits + alarms + 1) - digamma(hits - positives + alarms + 1))
    highest = positives * hits / np.maximum(hits + alarms - negatives, 1)
    reached = int((hits / p >= RECALL).argmax())
    return {
        "auroc_error": float((positives * negatives).sum() / (2 * p * n)),
        "auprc_error": float(max(highest.sum() / p - auprc, auprc - lowest.sum() / p, 0)),
        "fpr95_error": float(negatives[reached] / n),
    }
