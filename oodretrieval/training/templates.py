"""Template losses: pixels of a class shall resemble its best pixel, and the classes' best pixels not each other.

Of every class in an image, the template is the logit vector of the pixel of that class with the largest logit
of that class.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from oodretrieval.choices import Similarity
from oodretrieval.errors import UnknownNameError
from oodretrieval.labels import NO_CLASS

SIMILARITIES = ("cosine", "correlation")


def class_templates(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The template of every class in every image.

    Args:
        logits: ``(N, C, H, W)``.
        target: Predicted ids ``(N, H, W)``; 255 is no class.

    Returns:
        Templates ``(N, C, C)``, one a row, connected to the graph; and which classes are present, ``(N, C)``
        bool. Rows of absent classes mean nothing.
    """
    classes = logits.shape[1]
    members = _members(target, classes)
    scores = logits.detach().flatten(2).masked_fill(~members, -torch.inf)
    best = scores.argmax(2)[:, None].expand(-1, classes, -1)
    return logits.flatten(2).gather(2, best).transpose(1, 2), members.any(2)


def template_attraction(
    logits: Tensor, target: Tensor, templates: Tensor, present: Tensor, similarity: Similarity
) -> Tensor:
    """How little the pixels resemble the templates of their classes.

    Args:
        logits: ``(N, C, H, W)``.
        target: Predicted ids ``(N, H, W)``; 255 is left out.
        templates: ``(N, C, C)``, as by :func:`class_templates`; detached, lest the best pixels follow the others.
        present: ``(N, C)`` bool.
        similarity: ``"cosine"``, or ``"correlation"``, the cosine of the mean-centred vectors.

    Returns:
        Scalar, 0…2: per image the mean over its classes of the mean over the class's pixels of ``1 - similarity``;
        over images, the mean of those that show a class; 0 where none does.

    Raises:
        UnknownNameError: If the similarity is unknown.
    """
    pixels = _directions(logits.flatten(2).transpose(1, 2), similarity)
    alike = pixels @ _directions(templates, similarity).transpose(1, 2)
    members = _members(target, logits.shape[1]).transpose(1, 2)
    unlike = torch.where(members, 1 - alike, 0).sum(1) / members.sum(1).clamp(min=1)
    return _mean(_mean(unlike, present, 1), present.any(1), 0)


def template_repulsion(templates: Tensor, present: Tensor, similarity: Similarity) -> Tensor:
    """How much the templates of different classes resemble each other.

    Args:
        templates: ``(N, C, C)``, as by :func:`class_templates`; where they carry a graph, they are pushed apart.
        present: ``(N, C)`` bool.
        similarity: As of :func:`template_attraction`.

    Returns:
        Scalar, 0…1: per image the mean over pairs of its classes of ``max(0, similarity)``; over images, the mean
        of those that show at least two classes; 0 where none does.

    Raises:
        UnknownNameError: If the similarity is unknown.
    """
    directions = _directions(templates, similarity)
    alike = (directions @ directions.transpose(1, 2)).clamp(min=0)
    pairs = (present[:, :, None] & present[:, None]).triu(1).flatten(1)
    return _mean(_mean(alike.flatten(1), pairs, 1), pairs.any(1), 0)


def template_loss(
    logits: Tensor,
    target: Tensor,
    attraction: float,
    repulsion: float = 0.0,
    similarity: Similarity = "cosine",
) -> Tensor:
    """Weighted sum of :func:`template_attraction` to detached templates and :func:`template_repulsion`.

    The gradient of the repulsion flows through the templates' own pixels: of constants it would be zero.

    Args:
        logits: ``(N, C, H, W)``.
        target: Predicted ids ``(N, H, W)``; 255 is left out.
        attraction: Weight of the attraction.
        repulsion: Weight of the repulsion.
        similarity: ``"cosine"`` or ``"correlation"``.

    Returns:
        Scalar to be added to the cross-entropy.

    Raises:
        UnknownNameError: If the similarity is unknown.
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    templates, present = class_templates(logits, target)
    attracted = template_attraction(logits, target, templates.detach(), present, similarity)
    return attraction * attracted + repulsion * template_repulsion(templates, present, similarity)


def _members(target: Tensor, classes: int) -> Tensor:
    """Which pixels are of which class: ``(N, H, W)`` → ``(N, C, H * W)`` bool."""
    ids = torch.arange(classes, device=target.device)[:, None]
    return (target.flatten(1)[:, None] == ids) & (target.flatten(1)[:, None] != NO_CLASS)


def _directions(vectors: Tensor, similarity: str) -> Tensor:
    """Vectors along the last dimension, centred for the correlation, at length one."""
    if similarity not in SIMILARITIES:
        raise UnknownNameError("similarity", similarity, SIMILARITIES)
    centred = vectors - vectors.mean(-1, keepdim=True) if similarity == "correlation" else vectors
    return F.normalize(centred, dim=-1)


def _mean(values: Tensor, chosen: Tensor, dim: int) -> Tensor:
    """Mean along a dimension of what is chosen; 0 where nothing is."""
    return torch.where(chosen, values, 0).sum(dim) / chosen.sum(dim).clamp(min=1)
