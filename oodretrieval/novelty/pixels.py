"""The novelty of every pixel: its own energy, and the novelty of the segment that it lies in."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMOOTHING = 0.005
"""Standard deviation of the smoothing, as a share of the image's diagonal: 3 pixels at 480×360."""


def pixel_novelty(
    energy: NDArray[np.floating], segment_novelty: NDArray[np.floating], energy_scale: float
) -> NDArray[np.float32]:
    """``energy / energy_scale + segment_novelty``, smoothed by a Gaussian.

    The energy finds unknown things that are a part of a segment only, the novelty of segments what the network is
    sure of; smoothing takes the noise of single pixels away, and the high energy of thin boundaries.

    Args:
        energy: ``-logsumexp`` of the logits, ``(H, W)``.
        segment_novelty: Novelty of each pixel's segment, ``(H, W)``.
        energy_scale: What is one unit of energy, > 0; :attr:`NoveltyModel.energy_scale
            <oodretrieval.novelty.NoveltyModel.energy_scale>`.

    Returns:
        ``(H, W)``, higher where more unknown, unitless.

    Raises:
        ValueError: If the shapes differ or ``energy_scale`` is not above 0.

    Example:
        >>> pixel_novelty(np.full((2, 2), -8.0), np.full((2, 2), 1.5), 4.0).tolist()
        [[-0.5, -0.5], [-0.5, -0.5]]
    """
    if energy.ndim != 2 or energy.shape != segment_novelty.shape:
        raise ValueError(
            f"expected energy and segment_novelty (H, W), got {energy.shape} and {segment_novelty.shape}"
        )
    if not energy_scale > 0:
        raise ValueError(f"expected energy_scale > 0, got {energy_scale}")
    both = np.asarray(energy, np.float64) / energy_scale + segment_novelty
    sigma = SMOOTHING * float(np.hypot(*energy.shape))
    return np.asarray(ndimage.gaussian_filter(both, sigma, mode="nearest"), np.float32)
