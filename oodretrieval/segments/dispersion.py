"""Pixel dispersion: how undecided the classifier is at every pixel.

Source: Rottmann et al., "Prediction error meta classification in semantic segmentation", arXiv:1811.00648.
"""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.sources import Softmax


def entropy(probabilities: NDArray[np.floating], *, threads: int | None = None) -> NDArray[np.float32]:
    """Entropy of every pixel over ``ln C``.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1.
        threads: Threads to use at most, None for all cores.

    Returns:
        ``(H, W)``, unitless: 0 certain, 1 uniform.

    Raises:
        ValueError: If ``probabilities`` is no softmax of shape ``(H, W, C >= 2)``.

    Example:
        >>> (entropy(np.array([[[0.5, 0.5], [1.0, 0.0]]])).round(4) + 0).tolist()
        [[1.0, 0.0]]
    """
    return pixel_dispersion(probabilities, threads=threads)["E"]


def pixel_dispersion(
    probabilities: NDArray[np.floating], *, threads: int | None = None
) -> dict[str, NDArray[np.float32]]:
    """The three dispersion measures of every pixel.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``, 0…1. A view of ``(C, H, W)`` in memory, as
            ``np.moveaxis`` makes it, is read where it lies, too.
        threads: Threads to use at most, None for all cores.

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
    return dict(zip("EDV", Softmax(probabilities, threads).heat, strict=True))
