"""The softmax of logits, and how undecided a classifier is by both; in numpy, without torch."""

import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE = 1e-2
"""How far from 1 the outputs of a pixel may sum up to be taken for a softmax (half precision is that coarse)."""
_EPSILON = np.finfo(np.float32).eps


def sums_to_one(values: NDArray[np.floating], axis: int) -> bool:
    """Whether at least two values sum to 1 along an axis, everywhere, as those of a softmax do.

    Args:
        values: Any shape, not empty.
        axis: That of the classes.

    Returns:
        Whether they do, to within :data:`SUM_TOLERANCE`.

    Example:
        >>> sums_to_one(np.full((4, 2), 0.25), axis=0), sums_to_one(np.full((4, 2), 0.25), axis=1)
        (True, False)
    """
    sums = values.sum(axis=axis, dtype=np.float64)
    return values.shape[axis] >= 2 and bool(np.abs(sums - 1).max() <= SUM_TOLERANCE)


def is_softmax(values: NDArray[np.floating], axis: int) -> bool:
    """Whether outputs of a network are probabilities: nowhere negative, and of sum 1 over the classes.

    Args:
        values: Any shape, not empty.
        axis: That of the classes.

    Returns:
        Whether they are.

    Example:
        >>> is_softmax(np.full((1, 4), 0.25), axis=1), is_softmax(np.zeros((1, 4)), axis=1)
        (True, False)
    """
    return bool(values.min() >= 0) and sums_to_one(values, axis)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Softmax over the last axis, in float32; for whole images, whose classes come last.

    Args:
        logits: ``(..., C)``.

    Returns:
        The same shape, 0…1; sums to 1 over the last axis.

    Example:
        >>> softmax(np.array([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    result = np.array(logits, np.float32)
    # Blocks that fit the processor's cache; whole 1024×2048×19 passes take several times as long.
    for block in np.array_split(result, max(1, result.size >> 18)) if result.ndim > 1 else [result]:
        block -= block.max(axis=-1, keepdims=True)
        np.exp(block, out=block)
        block /= block.sum(axis=-1, keepdims=True)
    return result


def energy(logits: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """``-logsumexp`` of logits, at temperature 1.

    Args:
        logits: Any shape, finite.
        axis: That of the classes.

    Returns:
        The same shape without that axis; higher = more unknown, in units of the logits.

    Source:
        Liu et al., Energy-based out-of-distribution detection, arXiv:2010.03759.

    Example:
        >>> energy(np.zeros((2, 1)), axis=0).round(3).tolist()
        [-0.693]
    """
    return softmax_and_energy(logits, axis)[1]


def softmax_and_energy(
    logits: NDArray[np.floating], axis: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Softmax of logits and their :func:`energy`.

    Args:
        logits: Any shape, finite.
        axis: That of the classes.

    Returns:
        The softmax, the same shape; the energy, the same without that axis.
    """
    largest = logits.max(axis=axis, keepdims=True)
    softmax = np.exp(logits - largest)
    sums = softmax.sum(axis=axis, keepdims=True)
    softmax /= sums
    return softmax, np.asarray(-(largest + np.log(sums)).squeeze(axis))


def normalised_entropy(probabilities: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """Entropy of probabilities, ``-sum p ln(p + eps) / ln C`` with float32's ``eps``.

    Args:
        probabilities: Any shape, 0…1.
        axis: That of the classes, C >= 2 of them.

    Returns:
        The same shape without that axis, unitless: 0 certain … 1 uniform, but for ``eps``.

    Example:
        >>> normalised_entropy(np.array([[0.5, 0.5], [1.0, 0.0]]), axis=1).round(4).tolist()
        [1.0, -0.0]
    """
    sums = (probabilities * np.log(probabilities + _EPSILON)).sum(axis=axis)
    return np.asarray(-sums / np.log(probabilities.shape[axis]))


def softmax_scores(logits: NDArray[np.float32], temperature: float = 1.0) -> dict[str, NDArray[np.floating]]:
    """How undecided a classifier is, by every score, and so that what it is sure of keeps its order.

    :func:`energy` and ``1 - max p`` of a softmax lose in float32 what lies next to a probability of almost 1; here all
    but the largest are summed by themselves.

    Args:
        logits: ``(n, C)``.
        temperature: T of the energy, > 0.

    Returns:
        ``max_softmax``, ``entropy``, ``energy`` and ``max_logit``, each ``(n,)``, higher = more unknown; see
        :func:`~oodretrieval.evaluation.pixel_scores`.

    Raises:
        ValueError: If ``temperature`` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"expected temperature > 0, got {temperature}")
    predicted = logits.argmax(axis=1)
    largest = logits.max(axis=1)
    below = logits - largest[:, None]
    odds = np.exp(below)
    np.put_along_axis(odds, predicted[:, None], 0, axis=1)
    others = odds.sum(axis=1)  # without the 1 of the largest, next to which float32 would lose them
    p = odds / (1 + others)[:, None]
    np.put_along_axis(p, predicted[:, None], 1 / (1 + others)[:, None], axis=1)
    heat = (
        np.log1p(others) if temperature == 1 else np.log(np.exp(below / np.float32(temperature)).sum(axis=1))
    )
    return {
        "max_softmax": others / (1 + others),
        "entropy": normalised_entropy(p, axis=1),
        "energy": -(largest + temperature * heat),
        "max_logit": -largest,
    }
