"""The segments of a catalogue as candidates: their score, what to call it, and which of them repeat another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation import frame_positions
from oodretrieval.search import first_sightings
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
        segments = catalogue.segments
        if SELECT_SCORE not in segments.columns or not len(segments):
            return None
        scores = segments[SELECT_SCORE].to_numpy(np.float64)
        frames = frame_positions((segments["dataset"] + "\0" + segments["image_id"]).tolist())
        boxes = segments[SIDES].to_numpy()
        video = segments["dataset"].isin(catalogue.settings.get("video", ())).to_numpy()
        return cls(scores, first_sightings(scores, frames, boxes, catalogue.vectors, video))


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
