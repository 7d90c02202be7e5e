"""Bilinear resize in numpy: where it reads, along an axis, and of whole maps; reading a prediction loads no torch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Taps(NamedTuple):
    """What an axis of a resized map is mixed from.

    Attributes:
        low: Lower source index of every target index.
        high: Upper source index, the lower one plus 1 inside the source.
        weight: Weight of the upper one, 0…1, float32.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: NDArray[np.float32]


def bilinear_taps(
    source: int, target: int, align_corners: bool, *, precision: type[np.floating] = np.float32
) -> Taps:
    """Positions and weights along one axis, as ``torch.nn.functional.interpolate`` has them.

    Args:
        source: Length of the axis before.
        target: Length after.
        align_corners: Whether the centres of the end pixels stay where they are; otherwise the ends do.
        precision: Of the positions; torch's is float32, and in float64 they differ by enough to move a softmax by
            1e-4.

    Returns:
        ``(target,)`` each.

    Example:
        >>> bilinear_taps(2, 4, False).weight[1:3].tolist()
        [0.25, 0.75]
    """
    index = np.arange(target, dtype=precision)
    if align_corners:
        position = index * (precision(source - 1) / precision(target - 1) if target > 1 else precision(0))
    else:
        scale = precision(source) / precision(target)
        position = np.maximum(scale * (index + precision(0.5)) - precision(0.5), precision(0))
    low = np.minimum(position.astype(np.intp), source - 1)
    weight = np.clip(position - low.astype(precision), 0, 1).astype(np.float32)
    return Taps(low, np.minimum(low + 1, source - 1), weight)


def resize_axis(values: NDArray[np.float32], axis: int, taps: Taps) -> NDArray[np.float32]:
    """Resize along one axis.

    Args:
        values: Any shape.
        axis: Which.
        taps: What it is mixed from.

    Returns:
        The same shape but for that axis.
    """
    weight = taps.weight.reshape(-1, *[1] * (values.ndim - 1 - axis))
    result = np.take(values, taps.low, axis=axis)
    result *= 1 - weight
    other = np.take(values, taps.high, axis=axis)
    other *= weight
    result += other
    return result


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
        # Indexing by equal steps copies; the common case of equal sizes is spared.
        if image.shape[axis] != length:
            image = resize_axis(image, axis, bilinear_taps(image.shape[axis], length, align_corners))
    return image
