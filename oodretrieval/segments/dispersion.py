"""Pixel dispersion: how undecided the classifier is at every pixel.

Source: Rottmann et al., "Prediction error meta classification in semantic segmentation", arXiv:1811.00648.
"""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.sources import Logits, Softmax

UINT8_CLASSES = 255
"""At most this number of classes leave 255 for pixels of none in 8 bits."""


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


def entropy_levels(probabilities: NDArray[np.floating], *, threads: int | None = None) -> NDArray[np.uint8]:
    """Entropy of every pixel in 8 bits, as it is stored.

    Args:
        probabilities: As :func:`entropy` takes them.
        threads: Threads to use at most, None for all cores.

    Returns:
        ``(H, W)``: entropy over ``ln C``, times 255 and rounded; 0 certain … 255 uniform.

    Raises:
        ValueError: As :func:`entropy`.
    """
    return np.round(entropy(probabilities, threads=threads) * 255).clip(0, 255).astype(np.uint8)


def predict_classes(
    logits: NDArray[np.floating],
    size: tuple[int, int],
    *,
    align_corners: bool = False,
    threads: int | None = None,
) -> NDArray[np.unsignedinteger]:
    """Predicted class of every pixel, without the full logits in memory.

    Every row is resized on its own, as the network's last bilinear resize does it.

    Args:
        logits: ``(C, h, w)`` with ``C >= 2``, any floating type and any stride.
        size: ``(H, W)`` of the image.
        align_corners: Whether that resize keeps the centres of the corner pixels where they are.
        threads: Threads to use at most, None for all cores. The result does not depend on it.

    Returns:
        The first argmax, ``(H, W)`` uint8, or uint16 from 256 classes on.

    Raises:
        ValueError: If the logits are empty, not finite or of another shape.

    Example:
        >>> predict_classes(np.array([[[0.0, 9.0]], [[1.0, -9.0]]]), (1, 4)).tolist()
        [[1, 0, 0, 0]]
    """
    chosen, _ = Logits(logits, size, align_corners).predict(threads, with_entropy=False)
    return _smallest(chosen, len(logits))


def predict_pixels(
    logits: NDArray[np.floating],
    size: tuple[int, int],
    *,
    align_corners: bool = False,
    threads: int | None = None,
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint8]]:
    """Predicted class and entropy of every pixel, without the full logits or softmax in memory.

    Args:
        logits: As :func:`predict_classes` takes them.
        size: ``(H, W)`` of the image.
        align_corners: See :func:`predict_classes`.
        threads: See :func:`predict_classes`.

    Returns:
        :func:`predict_classes`, and :func:`entropy_levels` of the softmax.

    Raises:
        ValueError: As :func:`predict_classes`.

    Example:
        >>> classes, levels = predict_pixels(np.array([[[0.0, 9.0]], [[0.0, -9.0]]]), (1, 4))
        >>> classes.tolist(), levels.tolist()
        ([[0, 0, 0, 0]], [[255, 22, 0, 0]])
    """
    chosen, levels = Logits(logits, size, align_corners).predict(threads, with_entropy=True)
    return _smallest(chosen, len(logits)), levels


def _smallest(chosen: NDArray[np.int32], classes: int) -> NDArray[np.unsignedinteger]:
    return chosen.astype(np.uint8 if classes <= UINT8_CLASSES else np.uint16)
