"""The segments of a catalogue as candidates: their score, what to call it, and which of them repeat another."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.clips import frame_positions
from oodretrieval.search import first_sightings, near_duplicates
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue
from oodretrieval.stores.boxes import SIDES


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a catalogue's segments were selected by.

    Attributes:
        scores: Of each segment, ``(n,)``, higher where more unknown.
        first: Row of the segment that each one repeats in a near frame, its own if none, ``(n,)``.
    """

    scores: NDArray[np.float64]
    first: NDArray[np.intp]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Candidates | None":
        """The candidates of a catalogue.

        Args:
            catalogue: With vectors of its segments.

        Returns:
            Scores and repetitions; None for a catalogue without segments, or of before there were scores.
        """
        scores = scores_of(catalogue)
        if scores is None or not len(scores):
            return None
        return cls(scores, first_sightings(scores, *_sightings(catalogue)))


def scores_of(catalogue: Catalogue) -> NDArray[np.float64] | None:
    """What a catalogue's segments were selected by.

    Args:
        catalogue: Any.

    Returns:
        ``(n,)``, higher where more unknown; None for a catalogue of before there were scores.
    """
    segments = catalogue.segments
    return segments[SELECT_SCORE].to_numpy(np.float64) if SELECT_SCORE in segments.columns else None


def image_names(segments: pd.DataFrame) -> NDArray[np.object_]:
    """Names of the images of a catalogue's rows, each of one dataset only.

    Args:
        segments: The rows.

    Returns:
        ``(n,)``.
    """
    return np.asarray((segments["dataset"] + "/" + segments["image_id"]).to_numpy())


def groups_of(catalogue: Catalogue) -> NDArray[np.intp]:
    """Groups of segments that show one thing in near frames.

    Args:
        catalogue: With vectors of its segments.

    Returns:
        ``(n,)``: row of one of each group.
    """
    candidates = Candidates.of(catalogue)
    return near_duplicates(*_sightings(catalogue)) if candidates is None else candidates.first


def _sightings(
    catalogue: Catalogue,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Frame, box and vector of each segment, and whether its frame is one of a video."""
    segments = catalogue.segments
    frames = frame_positions(image_names(segments).tolist())
    video = segments["dataset"].isin(catalogue.settings.get("video", ())).to_numpy()
    return frames, segments[SIDES].to_numpy(np.int64), catalogue.vectors, video


def score_name(select_by: str) -> str:
    """What to call the score of a rule, which is higher where more unknown.

    Args:
        select_by: ``args.select_by`` of a catalogue.

    Returns:
        Its name, for people.

    Example:
        >>> score_name("nearest_neighbour"), score_name("predicted_iou")
        ('nearest neighbour', '1 - predicted IoU')
    """
    return "1 - predicted IoU" if select_by == PREDICTED_IOU else select_by.replace("_", " ")
