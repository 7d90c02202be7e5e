"""Which metrics predict the IoU of a segment: each by itself, and each within a meta model.

Source:
    Rottmann et al., arXiv:1811.00648; permutation importance: Breiman, Random Forests, 2001.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import SHUFFLES
from oodretrieval.evaluation.meta_regression import r2

Vector = NDArray[np.float64]
_KINDS = (
    (r"E($|_)", "entropy (E)"),
    (r"D($|_)", "probability difference (D)"),
    (r"V($|_)", "variation ratio (V)"),
    (r"S($|_)|log_S", "size (S)"),
    (r"mean_[xy]$", "position (mean_x, mean_y)"),
    (r"cprob\d|own_|second_|cprob_|class\d", "class (cprob, …)"),
    (r"ndist|surrounding_", "surroundings (ndist, …)"),
    (r"max_logit|energy", "logits (max_logit, energy)"),
    (r"width|height|aspect|extent|compactness", "shape (extent, …)"),
)


def kind_of_feature(name: str) -> str:
    """What a feature measures, for features of one kind say much the same.

    Args:
        name: Of the feature, e.g. a column of the segment table.

    Returns:
        Name of the kind; ``others`` where it is not known.

    Example:
        >>> kind_of_feature("E_var_in"), kind_of_feature("ndist3"), kind_of_feature("mine")
        ('entropy (E)', 'surroundings (ndist, …)', 'others')
    """
    return next((kind for pattern, kind in _KINDS if re.match(pattern, name)), "others")


class CorrelationSums:
    """Pearson's correlation of every feature with the IoU, of segments that come part by part.

    Means and products of deviations from them are kept, and those of two parts put together.

    Args:
        features: Number of features ``F``.

    Source:
        Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """

    def __init__(self, features: int) -> None:
        self._count, self._largest = 0, np.zeros(features + 1)
        self._mean, self._squares, self._products = np.zeros((3, features + 1))

    def add(self, features: Vector, iou: Vector) -> None:
        """Add some segments.

        Args:
            features: ``(n, F)``.
            iou: ``(n,)``.
        """
        if not len(iou):
            return
        values = np.column_stack([features, iou])
        mean, count = values.mean(axis=0), self._count + len(iou)
        centred, apart = values - mean, mean - self._mean
        weight = self._count * len(iou) / count
        self._squares += (centred**2).sum(axis=0) + weight * apart**2
        self._products += (centred * centred[:, -1:]).sum(axis=0) + weight * apart * apart[-1]
        self._mean = self._mean + apart * (len(iou) / count)
        self._largest = np.maximum(self._largest, np.abs(values).max(axis=0))
        self._count = count

    def correlations(self) -> Vector:
        """Of all segments so far.

        Returns:
            ``(F,)``, -1…1; 0 where a feature, or the IoU, never varies.

        Example:
            >>> sums = CorrelationSums(2)
            >>> sums.add(np.array([[1.0, 5.0]]), np.array([0.2]))
            >>> sums.add(np.array([[0.0, 5.0]]), np.array([0.4]))
            >>> sums.correlations().round(6).tolist()
            [-1.0, 0.0]
        """
        length = np.sqrt(self._squares[:-1] * self._squares[-1])
        # what is left of a constant after its mean is rounding
        varies = length > 1e-9 * np.maximum(self._largest[:-1], 1e-300) * self._count * self._largest[-1]
        result: Vector = np.where(varies, self._products[:-1] / np.where(varies, length, 1.0), 0.0)
        return result


def permutation_importance(
    predict: Callable[[Vector], Vector],
    features: Vector,
    iou: Vector,
    groups: Mapping[str, Sequence[int]],
    *,
    repeats: int = SHUFFLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """How much R² falls when features are shuffled among the segments.

    Args:
        predict: ``(n, F)`` → predicted IoU ``(n,)``.
        features: Of segments that the model has not seen, ``(n, F)``.
        iou: True IoU, ``(n,)``.
        groups: Name → columns that are dealt out together: single features, or all of one kind.
        repeats: How often each is dealt out, >= 1.
        seed: Same seed, same measures.

    Returns:
        Name → mean and standard deviation of the loss of R² over the repeats.

    Raises:
        ValueError: If there is no segment, or ``repeats`` is below 1.
    """
    if not len(iou) or repeats < 1:
        raise ValueError(f"expected segments and repeats >= 1, got {len(iou)} and {repeats}")
    whole = r2(iou, predict(features))
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(iou)) for _ in range(repeats)]
    losses: dict[str, tuple[float, float]] = {}
    for name, columns in groups.items():
        found = []
        for order in orders:
            dealt = features.copy()
            dealt[:, list(columns)] = features[:, list(columns)][order]
            found.append(whole - r2(iou, predict(dealt)))
        losses[name] = float(np.mean(found)), float(np.std(found))
    return losses


def roc_points(positive: NDArray[np.bool_], score: Vector) -> tuple[Vector, Vector]:
    """The ROC curve.

    Args:
        positive: ``(n,)``, both kinds present.
        score: Higher = more positive, ``(n,)``; equal scores enter together.

    Returns:
        False and true positive rate, from 0 to 1, one point for each different score and the origin.

    Raises:
        ValueError: If one kind is missing.

    Example:
        >>> roc_points(np.array([True, False]), np.array([0.9, 0.1]))[1].tolist()
        [0.0, 1.0, 1.0]
    """
    if positive.all() or not positive.any():
        raise ValueError("a ROC curve needs positives and negatives, here all are of one kind")
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    true, false = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
