"""Logistic regression around what was believed before: each item has log-odds of its own, answers move them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

Vector = NDArray[np.float64]
_ROUNDS = 30
_TOLERANCE = 1e-8
_SHORTEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class LogisticPosterior:
    """Weights and how sure they are: a normal distribution around the most probable ones.

    Attributes:
        weights: ``(F,)``.
        precision_root: Lower triangular root of the inverse covariance, ``(F, F)``.
    """

    weights: Vector
    precision_root: Vector

    def deviation(self, features: NDArray[np.floating]) -> Vector:
        """Standard deviation of the log-odds of items.

        Args:
            features: Of the items, ``(n, F)``.

        Returns:
            ``(n,)``, at least 0.
        """
        spread = solve_triangular(self.precision_root, features.T, lower=True)
        return np.asarray(np.sqrt((spread**2).sum(axis=0)), np.float64)


def fit_around_offset(
    features: NDArray[np.floating], positive: NDArray[np.bool_], offset: Vector, precision: Vector
) -> LogisticPosterior:
    """The most probable weights of ``log-odds = offset + features @ weights``, which are small by assumption.

    Args:
        features: Of the answered items, ``(m, F)``.
        positive: What was answered, ``(m,)``; all of one kind will do, and no answer at all.
        offset: Log-odds without the weights, ``(m,)``.
        precision: Inverse variance of each weight before anything was answered, ``(F,)``, > 0.

    Returns:
        The Laplace approximation of the posterior.

    Source:
        Bishop, Pattern Recognition and Machine Learning, 2006, section 4.5.
    """
    items, signs = features.astype(np.float64), np.where(positive, 1.0, -1.0)

    def loss(weights: Vector) -> float:
        margins = signs * (offset + items @ weights)
        return float(np.logaddexp(0, -margins).sum() + (precision * weights**2).sum() / 2)

    weights = np.zeros(items.shape[1])
    now = loss(weights)
    for _ in range(_ROUNDS):
        probability = expit(offset + items @ weights)
        gradient = items.T @ (probability - positive) + precision * weights
        step = cho_solve(cho_factor(_curvature(items, probability, precision)), gradient)
        length, then = 1.0, loss(weights - step)
        while then > now and length > _SHORTEST_STEP:
            length /= 2
            then = loss(weights - length * step)
        if then > now:
            break
        weights, gained, now = weights - length * step, now - then, then
        if gained <= _TOLERANCE * (1 + now):
            break
    probability = expit(offset + items @ weights)
    root = np.asarray(np.linalg.cholesky(_curvature(items, probability, precision)), np.float64)
    return LogisticPosterior(weights, root)


def _curvature(items: Vector, probability: Vector, precision: Vector) -> Vector:
    """Second derivative of the loss, ``(F, F)``."""
    doubt = probability * (1 - probability)
    return np.asarray((items.T * doubt) @ items + np.diag(precision), np.float64)
