"""Bilinear resize in numpy, so that reading a prediction does not load torch."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.bilinear import bilinear_taps


def resize_bilinear(
    maps: NDArray[np.floating], size: tuple[int, int], *, align_corners: bool = False
) -> NDArray[np.float32]:
    """Resize maps as ``torch.nn.functional.interpolate(mode="bilinear")`` does.

    Args:
        maps: ``(C, h, w)``, any floating type; computed in float32.
        size: Target ``(H, W)``.
        align_corners: Whether the centres of the corner pixels stay where they are; otherwise the corners of
            the image do.

    Returns:
        ``(H, W, C)``: the classes come last, as everywhere outside the networks.

    Example:
        >>> resize_bilinear(np.array([[[0.0, 4.0]]]), (1, 4))[0, :, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    image = np.ascontiguousarray(np.moveaxis(np.asarray(maps, np.float32), 0, -1))
    for axis, length in enumerate(size):
        low, high, weight = bilinear_taps(image.shape[axis], length, align_corners)
        # Indexing by equal steps copies; the common case of equal sizes is spared.
        if image.shape[axis] == length:
            continue
        weight = weight.reshape(-1, 1, 1) if axis == 0 else weight.reshape(1, -1, 1)
        result = np.take(image, low, axis=axis)
        result *= 1 - weight
        other = np.take(image, high, axis=axis)
        other *= weight
        result += other
        image = result
    return image
