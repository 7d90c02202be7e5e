"""What is searched for, as a vector: candidates of the catalogue, a box in an image, or a description."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.example_vectors import ExampleVectors
from oodretrieval.experiment.run import Run
from oodretrieval.search import query_vector
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
    settings: SimilarSettings,
    catalogue: Catalogue,
    run: Run,
    metric: str,
    centre: NDArray[np.float64] | None = None,
) -> SimilarityQuery:
    """Make a query of what was asked for.

    Args:
        settings: What is searched for.
        catalogue: Where.
        run: Whose configuration names embedding networks.
        metric: Of the index.
        centre: Of the index, ``(D,)``, where it compares centred directions.

    Returns:
        The query.

    Raises:
        SettingsError: If there is no such candidate, or the box is not in the image.
        ImageError: If the image cannot be read.
        ConfigurationError: If a description is asked for of a network without a text side.
    """
    rows, unlike = rows_of(catalogue, settings.candidates), rows_of(catalogue, settings.unlike)
    embedding = settings.net or catalogue.default_embedding
    vectors = catalogue.vectors_of(embedding)
    examples = [np.asarray(vectors[row], np.float64) for row in rows]
    words, picture = (
        [name_of(catalogue, row) for row in rows],
        CandidatePictures(catalogue).picture(rows[0], THUMBNAIL) if rows else None,
    )
    if settings.image or settings.text:
        making = ExampleVectors.of(catalogue, embedding, run.configuration)
        if settings.image:
            vector, shown = making.of_image(Path(settings.image), settings.box, settings.common.gpu)
            examples.append(vector)
            words.append(Path(settings.image).name + (f" {list(settings.box)}" if settings.box else ""))
            picture = shown if picture is None else picture
        if settings.text:
            examples.append(making.of_text(settings.text))
            words.append(f"“{settings.text}”")
    against = [np.asarray(vectors[row], np.float64) for row in unlike]
    vector = query_vector(examples, against or None, metric, centre)
    text = " and ".join(words) + (f", unlike {len(unlike)}" if unlike else "")
    return SimilarityQuery(vector, text, picture, rows, unlike)


def rows_of(catalogue: Catalogue, names: Iterable[str | int]) -> tuple[int, ...]:
    """Rows of candidates.

    Args:
        catalogue: Where.
        names: The row of each, from 0; or ``image id#number of the candidate``.

    Returns:
        The rows.

    Raises:
        SettingsError: If there is no such candidate, or there are several.
    """
    return tuple(_row_of(catalogue, name) for name in names)


def _row_of(catalogue: Catalogue, name: str | int) -> int:
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
    """What :func:`rows_of` finds a candidate by.

    Args:
        catalogue: Where.
        row: Of the candidate.

    Returns:
        ``image id#number``.
    """
    values = catalogue.segments.iloc[row]
    return f"{values['image_id']}#{values['segment_id']}"
