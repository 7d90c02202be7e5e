"""Masks with a class each, as Mask2Former and its kin give them, into one distribution over classes per pixel."""

import torch
from torch import Tensor

from oodretrieval.models.adapters.frozen import log_probabilities


def mask_log_probabilities(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    """Logarithms of normalised class probabilities per pixel, from queries that hold a class and a mask each.

    A class gets, at every pixel, the sum over the queries of the query's probability of the class times the
    probability that the pixel belongs to its mask; divided by the sum over the classes.

    Args:
        class_logits: ``(N, Q, C + 1)``; the last class is "no object" and is left out after the softmax.
        mask_logits: ``(N, Q, h, w)``; independent of one another, through a sigmoid.

    Returns:
        ``(N, C, h, w)``, at most 0; their softmax over C is the probabilities.

    Source:
        Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation", arXiv:2107.06278,
        section 3.4 (semantic inference).

    Example:
        >>> sure = torch.tensor([[[9.0, -9.0, -9.0]]])
        >>> mask_log_probabilities(sure, torch.zeros(1, 1, 1, 1)).exp().round(decimals=3).flatten().tolist()
        [1.0, 0.0]
    """
    classes = class_logits.softmax(-1)[..., :-1]
    scores = torch.einsum("nqc,nqhw->nchw", classes, mask_logits.sigmoid())
    scores = scores.clamp_min(torch.finfo(scores.dtype).tiny)
    return log_probabilities(scores / scores.sum(1, keepdim=True))
