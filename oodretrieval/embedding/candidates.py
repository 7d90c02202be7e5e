"""Candidates to vectors: what is shown of each, embedded, and the mean where that is several views."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import CROP, VIEWS
from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.embed import embed_views
from oodretrieval.embedding.views import Box, View, crop_views, mean_of_views
from oodretrieval.masks import RunLengthMask

_VIEW = "|".join(VIEWS)
_NAME = re.compile(rf"(.+?)(?:_((?:{_VIEW})(?:\+(?:{_VIEW}))*))?(?:_(native|\d+))?(?:_mixed)?")


class ImageCandidates(NamedTuple):
    """The candidates of an image.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        boxes: Of their crops, ``n``: left, top, right, bottom in pixels, half-open, inside the image.
        masks: Of the candidates, ``n``; None where it is not known.
    """

    image: NDArray[np.uint8]
    boxes: Sequence[Box]
    masks: Sequence[RunLengthMask | None]


def embed_candidates(
    network: EmbeddingNetwork,
    images: Iterable[ImageCandidates],
    views: Sequence[str] = (CROP,),
    **options: Any,
) -> NDArray[np.float32]:
    """Embed the candidates of images.

    Args:
        network: The embedding network.
        images: May be a generator over more than fits into memory.
        views: What is shown of each candidate, of ``crop``, ``context``, ``dimmed``, ``masked``; of several the mean.
        **options: As for :func:`~oodretrieval.embedding.embed.embed_views`.

    Returns:
        ``(n, D)``, candidates in the order of images and boxes.

    Raises:
        ConfigurationError: If a view needs vectors of places and the network gives none.
    """
    counts: list[int] = []

    def shown() -> Iterator[View]:
        for image, boxes, masks in images:
            counts.append(len(boxes))
            for name in views:
                yield from crop_views(image, boxes, masks, name)

    rows = embed_views(network, shown(), **options)
    blocks = np.split(rows, np.cumsum([len(views) * count for count in counts])[:-1]) if counts else []
    apart = [np.split(block, len(views)) for block in blocks]
    return mean_of_views(
        [np.concatenate([rows[:0], *(image[place] for image in apart)]) for place in range(len(views))]
    )


def embedding_name(net: str, embedded: str, size: str = "", mixed: bool = False) -> str:
    """What vectors are called in a catalogue.

    Args:
        net: Name of the network.
        embedded: What is embedded, as ``args.embedded``.
        size: What sets their crops apart from those that the catalogue was made of.
        mixed: Whether they were computed in half the precision: they have other neighbours.

    Returns:
        The name; that of the network alone for the published crop.

    Example:
        >>> embedding_name("resnet18", "crop"), embedding_name("resnet18", "crop+masked", "160")
        ('resnet18', 'resnet18_crop+masked_160')
    """
    parts = [
        net,
        *([embedded] if embedded != CROP else []),
        *([size] if size else []),
        *(["mixed"] if mixed else []),
    ]
    return "_".join(parts)


def network_of(name: str) -> str:
    """Name of the network that vectors of a catalogue are of.

    Args:
        name: Of the vectors, by :func:`embedding_name`.

    Returns:
        What ``args.net`` was.

    Example:
        >>> network_of("resnet18_crop+masked_160"), network_of("efficientnet_lite0")
        ('resnet18', 'efficientnet_lite0')
    """
    return parts_of_name(name)[0]


def parts_of_name(name: str) -> tuple[str, str, str]:
    """What the name of vectors says of their making.

    Args:
        name: Of the vectors, by :func:`embedding_name`.

    Returns:
        Its three arguments.

    Example:
        >>> parts_of_name("resnet18_crop+masked_160"), parts_of_name("resnet18")
        (('resnet18', 'crop+masked', '160'), ('resnet18', 'crop', ''))
    """
    found = _NAME.fullmatch(name)
    return (found[1], found[2] or CROP, found[3] or "") if found else (name, CROP, "")
