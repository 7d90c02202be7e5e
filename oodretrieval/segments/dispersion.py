"""Pixel dispersion: how undecided the classifier is at every pixel.

Source: Rottmann et al., "Prediction error meta classification in semantic segmentation", arXiv:1811.00648.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EPSILON = np.finfo(np.float32).eps
SLACK = 1e-3
"""How far outside 0…1 a softmax may lie before it is taken for something else (logits, say)."""


class TopTwo(NamedTuple):
    """The two largest probabilities of every pixel.

    Attributes:
        prediction: First class of largest probability, ``(H, W)`` int32.
        first: Largest probability, ``(H, W)`` float32.
        second: Second largest (equal to the first in a tie), ``(H, W)`` float32.
    """

    prediction: NDArray[np.int32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]


def entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
    """Entropy of every pixel over ``ln C``.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1.

    Returns:
        ``(H, W)``, unitless: 0 certain, 1 uniform.

    Raises:
        ValueError: If ``probabilities`` is no softmax of shape ``(H, W, C >= 2)``.

    Example:
        >>> (entropy(np.array([[[0.5, 0.5], [1.0, 0.0]]])).round(4) + 0).tolist()
        [[1.0, 0.0]]
    """
    return _entropy(as_probabilities(probabilities))


def pixel_dispersion(probabilities: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
    """The three dispersion measures of every pixel.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1.

    Returns:
        Three maps ``(H, W)``: ``"E"`` entropy over ``ln C`` (0 certain … 1 uniform), ``"D"`` probability
        difference ``1 - p1 + p2`` (0…1), ``"V"`` variation ratio ``1 - p1`` (0…1 - 1/C), where ``p1 >= p2``
        are the two largest probabilities.

    Raises:
        ValueError: If ``probabilities`` is no softmax of shape ``(H, W, C >= 2)``.

    Source:
        Rottmann et al., arXiv:1811.00648.

    Example:
        >>> maps = pixel_dispersion(np.array([[[0.75, 0.25]]]))
        >>> maps["D"].item(), maps["V"].item()
        (0.5, 0.25)
    """
    return dispersion_of(as_probabilities(probabilities))[0]


def dispersion_of(p: NDArray[np.float32]) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int32]]:
    """Dispersion and predicted class of checked probabilities.

    Args:
        p: As :func:`as_probabilities` returns it, ``(H, W, C)``.

    Returns:
        The maps of :func:`pixel_dispersion`, and the first argmax, ``(H, W)``.
    """
    top = top_two(p)
    variation = 1 - top.first
    return {"E": _entropy(p), "D": variation + top.second, "V": variation}, top.prediction


def top_two(p: NDArray[np.float32]) -> TopTwo:
    """The predicted class and the two largest values of every pixel.

    Args:
        p: Softmax or logits, ``(H, W, C)``.

    Returns:
        Prediction, largest and second largest value, ``(H, W)`` each.
    """
    # A running comparison over the few classes is several times faster than sorting every pixel.
    prediction = np.zeros(p.shape[:2], np.int32)
    first = p[..., 0].copy()
    second = np.full(p.shape[:2], -np.inf, np.float32)
    for k in range(1, p.shape[2]):
        value = p[..., k]
        np.maximum(second, np.minimum(first, value), out=second)
        prediction[value > first] = k
        np.maximum(first, value, out=first)
    return TopTwo(prediction, first, second)


def as_probabilities(probabilities: Any) -> NDArray[np.float32]:
    """Check a softmax and return it as float32.

    Args:
        probabilities: ``(H, W, C)`` with ``C >= 2``, any floating type.

    Returns:
        The same values, float32.

    Raises:
        ValueError: If the shape, the type or the range is that of something else, if it is empty, or if it
            holds NaN.
    """
    p = np.asarray(probabilities)
    if p.ndim != 3 or p.shape[2] < 2 or not np.issubdtype(p.dtype, np.floating):
        raise ValueError(
            f"probabilities must be a floating array (H, W, C) with C >= 2, not {p.dtype} {p.shape}; "
            "move the classes to the last axis"
        )
    if p.size == 0:
        raise ValueError(f"probabilities of shape {p.shape} hold no pixel; leave empty images out")
    low, high = float(p.min()), float(p.max())  # NaN survives both
    if not (low >= -SLACK and high <= 1 + SLACK):
        raise ValueError(
            f"probabilities must lie in 0…1, but reach from {low:g} to {high:g}; "
            "apply the softmax to logits, and look for NaN or infinity in the network's output"
        )
    return np.asarray(p, np.float32)


def _entropy(p: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.zeros(p.shape[:2], np.float64)
    for k in range(p.shape[2]):
        value = p[..., k]
        total += value * np.log(np.maximum(value, 0) + EPSILON)
    # Not clipped: EPSILON puts a certain pixel at -1e-7, and the published tables, which scale it, have that.
    result: NDArray[np.float64] = -total / np.log(p.shape[2])
    return result.astype(np.float32)
