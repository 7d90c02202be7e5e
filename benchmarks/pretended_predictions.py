"""Pretended predictions, with regions, ragged borders and small islands as real ones have."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def street_logits(
    height: int, width: int, classes: int = 19, seed: int = 0, roughness: float = 0.55, detail: float = 10
) -> NDArray[np.float32]:
    """Logits ``(classes, height, width)`` float32 of a network that is sure inside regions, not between them."""
    rng = np.random.default_rng(seed)
    scale = max(height, width) / 12
    coarse = rng.normal(size=(classes, int(height / scale) + 3, int(width / scale) + 3))
    zoom = (height / (coarse.shape[1] - 1), width / (coarse.shape[2] - 1))
    logits = np.empty((classes, height, width), np.float32)
    for k in range(classes):
        smooth = ndimage.zoom(coarse[k], zoom, order=1)[:height, :width]
        fine = ndimage.gaussian_filter(rng.normal(size=(height, width)).astype(np.float32), detail)
        logits[k] = 15 * smooth + 15 * roughness * fine / fine.std()
    return logits


def street_truth(prediction: NDArray[np.integer], classes: int, seed: int = 0) -> NDArray[np.uint8]:
    """The prediction, moved, with false regions and void: ``(H, W)`` uint8, 255 where there is none."""
    rng = np.random.default_rng(seed)
    truth = np.roll(prediction, (2, 3), (0, 1)).astype(np.uint8)
    height, width = truth.shape
    for c in (*rng.integers(0, classes, 40), *[255] * 10):
        y, x = rng.integers(0, height), rng.integers(0, width)
        truth[y : y + height // 16, x : x + width // 16] = c
    return truth
