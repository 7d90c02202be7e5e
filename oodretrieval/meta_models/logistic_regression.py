"""Logistic regression with an L1 penalty along its path, and with next to no penalty; shares as targets too.

Source:
    Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent, 2010;
    Papke, Wooldridge, Econometric methods for fractional response variables, 1996 (shares as targets).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, xlogy
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, lasso_path

Vector = NDArray[np.float64]
_ROUNDS = 50
_TOLERANCE = 1e-4
_LEAST_CURVATURE = 1e-5


@dataclass(frozen=True, eq=False)
class LassoPath:
    """Logistic regressions of falling L1 penalty.

    Attributes:
        penalties: λ, falling, ``(L,)``.
        weights: ``(L, F)``; 0 where a feature has dropped out.
        intercepts: ``(L,)``.
    """

    penalties: Vector
    weights: Vector
    intercepts: Vector


def sigmoid(values: ArrayLike) -> Vector:
    """The logistic function of ``values``, without overflow; the same shape."""
    result: Vector = expit(np.asarray(values, np.float64))
    return result


def log_loss(target: Vector, probability: Vector) -> float:
    """Mean cross-entropy.

    Args:
        target: ``(n,)``, 0…1.
        probability: Predicted, ``(n,)``, 0…1.

    Returns:
        In nats, at least 0.

    Example:
        >>> round(log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 4)
        0.6931
    """
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    return float(-(xlogy(target, p) + xlogy(1 - target, 1 - p)).mean())


def fit_logistic(features: Vector, target: Vector, *, ridge: float) -> tuple[Vector, float]:
    """Logistic regression with a trace of ridge, for separable classes have no solution without.

    Args:
        features: Standardised, ``(n, F)``.
        target: 0…1, ``(n,)``: a class, or a share; not all equal to 0 or all to 1.
        ridge: Penalty on the squared weights, per segment, > 0.

    Returns:
        Weights ``(F,)`` and intercept.
    """
    rows = np.concatenate([np.flatnonzero(target > 0), np.flatnonzero(target < 1)])
    positive = np.arange(len(rows)) < int((target > 0).sum())
    amount = np.where(positive, target[rows], 1 - target[rows])
    model = LogisticRegression(C=1 / (ridge * len(target)), solver="newton-cholesky", max_iter=200)
    model.fit(features[rows], positive, sample_weight=amount)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def logistic_path(features: Vector, positive: Vector, *, count: int = 40, least: float = 1e-3) -> LassoPath:
    """Minimise ``log loss + λ Σ|w|`` from the λ that leaves no feature down to a fraction of it.

    Each step is a weighted lasso of the quadratic approximation at the last one; as only its ``F`` normal equations
    enter, the cost of the inner descent does not depend on the number of segments.

    Args:
        features: Standardised, ``(n, F)``.
        positive: 1 or 0, ``(n,)``, both present.
        count: Number of penalties, >= 2, evenly spaced on a logarithmic scale.
        least: Smallest λ over largest, 0…1.

    Returns:
        The path.

    Raises:
        ValueError: If one class is missing, or an argument is out of range.
    """
    if count < 2 or not 0 < least < 1:
        raise ValueError(f"expected count >= 2 and 0 < least < 1, got {count} and {least}")
    share = float(positive.mean())
    if not 0 < share < 1:
        raise ValueError("a path needs segments with IoU = 0 and with IoU > 0, here all are of one kind")
    largest = float(np.abs(features.T @ (positive - share)).max() / len(positive))
    penalties = np.geomspace(max(largest, 1e-12), max(largest, 1e-12) * least, count)
    weights = np.zeros((count, features.shape[1]))
    intercepts = np.full(count, np.log(share / (1 - share)))
    w, b = weights[0], float(intercepts[0])
    for place, penalty in enumerate(penalties[1:], start=1):
        for _ in range(_ROUNDS):
            before = w
            w, b = _weighted_lasso(features, positive, w, b, float(penalty))
            if np.abs(w - before).max() < _TOLERANCE * max(1.0, float(np.abs(w).max())):
                break
        weights[place], intercepts[place] = w, b
    return LassoPath(penalties, weights, intercepts)


def _weighted_lasso(
    features: Vector, positive: Vector, weights: Vector, intercept: float, penalty: float
) -> tuple[Vector, float]:
    """The lasso of the loss' quadratic approximation at ``weights`` and ``intercept``."""
    score = features @ weights + intercept
    p = sigmoid(score)
    curvature = np.maximum(p * (1 - p), _LEAST_CURVATURE)
    working = score + (positive - p) / curvature
    total = curvature.sum()
    centre, mean = curvature @ features / total, float(curvature @ working / total)
    scaled = features * np.sqrt(curvature)[:, None]
    gram = scaled.T @ scaled - total * np.outer(centre, centre)  # half the cost, as both factors are the same
    moment = features.T @ (curvature * (working - mean)) - centre * float(curvature @ (working - mean))
    size = len(weights)
    # R'R = gram: F rows stand for all n
    root = np.linalg.cholesky(gram + 1e-9 * (np.trace(gram) / size + 1e-12) * np.eye(size))
    response = np.linalg.solve(root, moment)
    scale = np.sqrt(size / len(positive))
    with warnings.catch_warnings():
        # along features that say the same the descent is slow; the next round goes on from where it stopped
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefficients, _ = lasso_path(
            np.asfortranarray(scale * root.T),
            scale * response,
            alphas=[penalty],
            coef_init=weights.copy(),
            max_iter=3000,
            tol=1e-7,
        )
    found = coefficients[:, 0].astype(np.float64)
    return found, mean - float(centre @ found)
