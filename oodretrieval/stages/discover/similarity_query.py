"""What is searched for, as a vector: candidates of the catalogue, a box in an image, or a description."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.embedding import (
    EmbeddingNetwork,
    ImageCandidates,
    embed_candidates,
    embedding_network,
    parts_of_name,
    text_vectors,
)
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.images import read_image
from oodretrieval.masks import encode_mask
from oodretrieval.search import query_vector
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stages.discover.settings import SimilarSettings
from oodretrieval.stores import Catalogue

THUMBNAIL = 160
"""Longer side of a crop on the sheet, pixels."""


@dataclass(frozen=True, eq=False)
class SimilarityQuery:
    """What is searched for.

    Attributes:
        vector: ``(D,)``.
        words: What it is, for people.
        picture: Of it, ``(h, w, 3)``; None of a description.
        rows: Candidates of the catalogue that it names, which are not found.
        unlike: Candidates that are not wanted, which are not found either.
    """

    vector: NDArray[np.float64]
    words: str
    picture: NDArray[np.uint8] | None
    rows: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()


def similarity_query(
    settings: SimilarSettings, catalogue: Catalogue, run: Run, centre: NDArray[np.float64] | None = None
) -> SimilarityQuery:
    """Make a query of what was asked for.

    Args:
        settings: What is searched for.
        catalogue: Where.
        run: Whose configuration names embedding networks.
        centre: Of the index, ``(D,)``, where it compares centred directions.

    Returns:
        The query.

    Raises:
        SettingsError: If there is no such candidate, or the box is not in the image.
        ImageError: If the image cannot be read.
        ConfigurationError: If a description is asked for of a network without a text side.
    """
    rows = tuple(row_of(catalogue, name) for name in settings.candidates)
    unlike = tuple(row_of(catalogue, name) for name in settings.unlike)
    embedding = settings.net or catalogue.default_embedding
    vectors = catalogue.vectors_of(embedding)
    examples = [np.asarray(vectors[row], np.float64) for row in rows]
    words, picture = (
        [name_of(catalogue, row) for row in rows],
        CandidatePictures(catalogue).picture(rows[0], THUMBNAIL) if rows else None,
    )
    if settings.image or settings.text:
        network, views, size = _making(catalogue, embedding, run)
        if settings.image:
            shown = _shown(settings, catalogue)
            device = choose_device(settings.common.gpu)
            [vector] = embed_candidates(network, [shown], views, device=device, size=size)
            examples.append(vector.astype(np.float64))
            words.append(Path(settings.image).name + (f" {list(settings.box)}" if settings.box else ""))
            picture = crop(shown.image, shown.boxes[0]) if picture is None else picture
        if settings.text:
            examples.append(text_vectors(network, [settings.text])[0].astype(np.float64))
            words.append(f"“{settings.text}”")
    against = [np.asarray(vectors[row], np.float64) for row in unlike]
    vector = query_vector(examples, against or None, settings.metric, centre)
    text = " and ".join(words) + (f", unlike {len(unlike)}" if unlike else "")
    return SimilarityQuery(vector, text, picture, rows, unlike)


def row_of(catalogue: Catalogue, name: str | int) -> int:
    """Row of a candidate.

    Args:
        catalogue: Where.
        name: Its row, from 0; or ``image id#number of the candidate``.

    Returns:
        The row.

    Raises:
        SettingsError: If there is no such candidate, or there are several.
    """
    if isinstance(name, int) or name.isdigit():
        if not 0 <= int(name) < len(catalogue):
            raise SettingsError(f"catalogue {catalogue.name} has rows 0…{len(catalogue) - 1}, got {name}")
        return int(name)
    image, sign, number = name.rpartition("#")
    segments = catalogue.segments
    found = np.flatnonzero((segments["image_id"] == image) & (segments["segment_id"].astype(str) == number))
    if not sign or len(found) != 1:
        raise SettingsError(
            f"{name!r} names {len(found)} candidates of catalogue {catalogue.name}; give a row, or image id#number, "
            f"e.g. {name_of(catalogue, 0)!r}"
        )
    return int(found[0])


def name_of(catalogue: Catalogue, row: int) -> str:
    """What :func:`row_of` finds a candidate by.

    Args:
        catalogue: Where.
        row: Of the candidate.

    Returns:
        ``image id#number``.
    """
    values = catalogue.segments.iloc[row]
    return f"{values['image_id']}#{values['segment_id']}"


def _making(
    catalogue: Catalogue, embedding: str, run: Run
) -> tuple[EmbeddingNetwork, tuple[str, ...], int | None]:
    """The network that made an embedding, what it was shown, and the size of its crops; None for native."""
    net, embedded, size = parts_of_name(embedding)
    pixels = int(catalogue.settings.get("crop_size", 0)) if not size else int(size) if size.isdigit() else 0
    return embedding_network(run.configuration.embedding(net)), tuple(embedded.split("+")), pixels or None


def _shown(settings: SimilarSettings, catalogue: Catalogue) -> ImageCandidates:
    """The box in the image, as a candidate that fills it; crops are enlarged as the catalogue's."""
    image = read_image(Path(settings.image).expanduser())
    height, width = image.shape[:2]
    left, top, right, bottom = settings.box or (0, 0, width, height)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise SettingsError(
            f"args.box is left, top, right, bottom within the image's {width} x {height} pixels, got {settings.box}"
        )
    inside = np.zeros((height, width), np.bool_)
    inside[top:bottom, left:right] = True
    rows, columns = (int(catalogue.settings.get(f"min_crop_{side}", 1)) for side in ("height", "width"))
    box = enlarge_box(Box(left, top, right, bottom), rows, columns, height, width)
    return ImageCandidates(image, [box], [encode_mask(inside)])
