"""Where a bilinear resize reads: the same positions for every implementation of it."""

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


def bilinear_taps(source: int, target: int, align_corners: bool) -> Taps:
    """Positions and weights along one axis, as ``torch.nn.functional.interpolate`` has them.

    Args:
        source: Length of the axis before.
        target: Length after.
        align_corners: Whether the centres of the end pixels stay where they are; otherwise the ends do.

    Returns:
        ``(target,)`` each.

    Example:
        >>> bilinear_taps(2, 4, False).weight[1:3].tolist()
        [0.25, 0.75]
    """
    # float32 throughout, as torch: in float64 the positions differ by enough to move a softmax by 1e-4.
    index = np.arange(target, dtype=np.float32)
    if align_corners:
        position = index * (np.float32(source - 1) / np.float32(target - 1) if target > 1 else np.float32(0))
    else:
        scale = np.float32(source) / np.float32(target)
        position = np.maximum(scale * (index + np.float32(0.5)) - np.float32(0.5), np.float32(0))
    low = np.minimum(position.astype(np.intp), source - 1)
    return Taps(low, np.minimum(low + 1, source - 1), np.clip(position - low.astype(np.float32), 0, 1))
