"""Candidates of a catalogue like a candidate, a box in an image, or a description: a contact sheet and a table."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.charts.crop_sheets import similar_candidates
from oodretrieval.charts.saving import save_picture
from oodretrieval.errors import PartialFailure, SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.files import atomic_path, file_name
from oodretrieval.results.candidates import groups_of, scores_of
from oodretrieval.results.columns import filtered_rows
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.search import NearestNeighbours, Neighbours, RelevanceFeedback, neighbour_index, smallest
from oodretrieval.search.feedback import usable_prior
from oodretrieval.search.neighbours import SAME
from oodretrieval.search.partial_sort import group_sizes
from oodretrieval.stages.discover.settings import SimilarSettings
from oodretrieval.stages.discover.similarity_query import (
    THUMBNAIL,
    SimilarityQuery,
    name_of,
    rows_of,
    similarity_query,
)
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue

logger = logging.getLogger(__name__)
PREDICTED, TRUTH = "predicted", "truth"
"""Columns of names, of the table and for filters."""
COLUMNS = 5
SHOWN = 40
"""Candidates on the sheet, at most; the table has all."""


def find_similar(settings: SimilarSettings, run: Run) -> dict[str, Any]:
    """Find the candidates of a catalogue that are most like what is asked for.

    Args:
        settings: What is searched for, where and how.
        run: Configuration and workspace.

    Returns:
        ``query``, what it is; ``found``, for each candidate its ``candidate``, ``row``, ``distance`` and how often the
        thing is ``seen``; ``files`` written.

    Raises:
        SettingsError: If nothing is searched for, or something that there is not.
        UnknownNameError: If there is no such catalogue, embedding, column or metric.
        ImageError: If the image of what is searched for cannot be read.
        PartialFailure: If some of those found cannot be read: all is done, and their pictures are blank.
        ConfigurationError: If the network has no text side.
    """
    if not (settings.candidates or settings.image or settings.text):
        raise SettingsError(
            "say what to search for: args.candidates, args.image (with args.box), args.text, or several of them"
        )
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    if settings.by == "feedback":
        query, found = _by_feedback(settings, catalogue)
    else:
        index = _index(settings, catalogue)
        query = similarity_query(settings, catalogue, run, index.metric, index.centre)
        found = _nearest(settings, catalogue, index, query)
    table = _table(catalogue, found)
    folder = Path(settings.save_dir).expanduser() if settings.save_dir else catalogue.path / "similar"
    stem = file_name(query.words)[:80]
    listing = folder / f"{stem}.csv"
    with atomic_path(listing) as temporary:
        table.to_csv(temporary, index=False)
    pictures = CandidatePictures(catalogue)
    sheet = _save_sheet(folder / f"{stem}.png", pictures, query, table, catalogue.name)
    logger.info("%d candidates like %s: %s, %s", len(table), query.words, sheet, listing)
    if pictures.unread:
        raise PartialFailure("find_similar", pictures.unread)
    shown = table[["candidate", "row", "distance", "seen"]].to_dict("records")
    return {"query": query.words, "found": shown, "files": [str(listing), str(sheet)]}


def _index(settings: SimilarSettings, catalogue: Catalogue) -> NearestNeighbours:
    embedding = settings.net or catalogue.default_embedding
    return neighbour_index(
        catalogue.vectors_of(embedding), settings.metric, norms=catalogue.lengths_of(embedding)
    )


def _nearest(
    settings: SimilarSettings, catalogue: Catalogue, index: NearestNeighbours, query: SimilarityQuery
) -> Neighbours:
    groups = _groups(settings, catalogue)
    among = _allowed(settings, catalogue, groups, (*query.rows, *query.unlike))
    same = SAME if settings.once else None
    return index.query_groups(query.vector, settings.number, groups, among=among, same=same)


def _by_feedback(settings: SimilarSettings, catalogue: Catalogue) -> tuple[SimilarityQuery, Neighbours]:
    """By what the candidates teach as answers, from the score that selected on."""
    wanted, unlike = rows_of(catalogue, settings.candidates), rows_of(catalogue, settings.unlike)
    vectors = catalogue.vectors_of(settings.net or catalogue.default_embedding)
    feedback = RelevanceFeedback(vectors, usable_prior(scores_of(catalogue)))
    feedback.update([*wanted, *unlike], [True] * len(wanted) + [False] * len(unlike))
    away = -feedback.scores()
    groups = _groups(settings, catalogue)
    among = _allowed(settings, catalogue, groups, (*wanted, *unlike))
    rows = smallest(away, settings.number, among, groups)
    words = f"{' and '.join(name_of(catalogue, row) for row in wanted)}, learned"
    words += f" with {len(unlike)} unlike them" if unlike else ""
    picture = CandidatePictures(catalogue).picture(wanted[0], THUMBNAIL)
    query = SimilarityQuery(np.zeros(0), words, picture, wanted, unlike)
    return query, Neighbours(rows, away[rows], group_sizes(groups, rows, among))


def _groups(settings: SimilarSettings, catalogue: Catalogue) -> NDArray[np.intp]:
    return groups_of(catalogue) if settings.once else np.arange(len(catalogue))


def _allowed(
    settings: SimilarSettings, catalogue: Catalogue, groups: NDArray[np.intp], named: tuple[int, ...]
) -> NDArray[np.bool_]:
    """What the filter means and is not one of the examples, nor repeats one."""
    among = filtered_rows(catalogue, settings.filter)
    return among & ~np.isin(groups, groups[list(named)]) if named else among


def _table(catalogue: Catalogue, found: Neighbours) -> pd.DataFrame:
    rows, classes = catalogue.segments.iloc[found.rows].reset_index(drop=True), SegmentClasses(catalogue)
    table = pd.DataFrame(
        {
            "candidate": [name_of(catalogue, int(row)) for row in found.rows],
            "row": found.rows,
            "distance": found.distances,
            "seen": found.counts,
            PREDICTED: classes.predicted_names[found.rows],
        }
    )
    if classes.has_truth:
        table[TRUTH] = classes.truth_names[found.rows]
    kept = ["dataset", "image_id", "segment_id", "left", "top", "right", "bottom", "image_path"]
    scores = [column for column in (PREDICTED_IOU, SELECT_SCORE) if column in rows.columns]
    return pd.concat([table, rows[[*kept, *scores]]], axis=1)


def _save_sheet(
    path: Path, pictures: CandidatePictures, query: SimilarityQuery, table: pd.DataFrame, name: str
) -> Path:
    shown = table.iloc[:SHOWN]
    crops = [pictures.picture_or_blank(int(row), THUMBNAIL) for row in shown["row"]]
    captions = [
        f"{values['distance']:.3f} {values.get(TRUTH) or values[PREDICTED]}"
        + (f"\nseen {values['seen']} times" if values["seen"] > 1 else "")
        for values in shown.to_dict("records")
    ]
    title = f"{name}: like {query.words}"
    return save_picture(path, similar_candidates(crops, captions, query.picture, title, columns=COLUMNS))
