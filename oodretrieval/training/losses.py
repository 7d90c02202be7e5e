"""Losses of segmentation training."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oodretrieval.labels import NO_CLASS


def class_weights(pixels: NDArray[np.integer], power: float) -> Tensor:
    """Weights that let rare classes count more: ``(mean share / share) ** power``, at most 10.

    Args:
        pixels: Pixels of each class in the training set, ``(C,)``.
        power: 0 weighs all classes alike, 1 undoes their frequencies.

    Returns:
        ``(C,)`` float32; 0 for classes without a pixel.

    Example:
        >>> class_weights(np.array([900, 100]), 0.5).tolist()  # doctest: +ELLIPSIS
        [0.745..., 2.236...]
    """
    seen = pixels > 0
    weights = np.zeros(len(pixels), np.float32)
    mean = pixels.sum() / max(1, int(seen.sum()))
    weights[seen] = (mean / pixels[seen]) ** power
    return torch.from_numpy(np.minimum(weights, 10))


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy over all pixels that have a class.

    Args:
        logits: ``(N, C, H, W)``.
        target: Predicted ids ``(N, H, W)``; 255 is ignored.
        weights: Weight of each class, ``(C,)``.

    Returns:
        The weighted mean, a scalar; 0 where no pixel has a class.
    """
    summed = F.cross_entropy(logits.float(), target, weight=weights, ignore_index=NO_CLASS, reduction="sum")
    kept = target[target != NO_CLASS]
    total = weights[kept].sum() if weights is not None else kept.numel()
    return summed / max(float(total), 1e-6)
