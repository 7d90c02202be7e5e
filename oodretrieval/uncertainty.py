"""How undecided a classifier is, of its logits and of its softmax, along any axis."""

import numpy as np
from numpy.typing import NDArray

_EPSILON = np.finfo(np.float32).eps


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
        >>> np.abs(energy(np.log([[0.5, 0.75], [0.5, 0.25]]), axis=0)).tolist()
        [0.0, 0.0]
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
