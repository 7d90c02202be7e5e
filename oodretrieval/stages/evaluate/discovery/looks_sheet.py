"""The first candidates that are inspected, on one picture, with their outlines and what they lead to."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import Surroundings
from oodretrieval.charts.discovery import Look, looks_figure
from oodretrieval.charts.outlines import blank_picture, outlined_crop
from oodretrieval.charts.saving import Picture
from oodretrieval.errors import ImageError
from oodretrieval.evaluation.discovery import FOUND, OUTLINED, TOUCHED
from oodretrieval.search import inspection_order
from oodretrieval.stages.evaluate.discovery.scene import EvaluatedScene, SceneCandidates
from oodretrieval.stores import SELECT_SCORE
from oodretrieval.stores.boxes import row_boxes

THUMBNAIL = 150
SURROUNDINGS = Surroundings(share=1.6, margin=16)


def looks_picture(scene: EvaluatedScene, kind: str, number: int) -> Picture:
    """The first candidates in the order of their scores.

    Args:
        scene: The scene.
        kind: Of candidates.
        number: Candidates shown, at most.

    Returns:
        The picture; candidates of an image that cannot be read are blank in it, and it is among those unread.
    """
    candidates = scene.candidates[kind]
    order = inspection_order(candidates.scores)[:number]
    success = _successes(candidates, order)
    looks: dict[int, Look] = {}
    for image_id, rows in candidates.table.iloc[order].groupby("image_id", sort=False):
        for (row, values), picture in zip(
            rows.iterrows(), _crops(scene, candidates, str(image_id), rows), strict=True
        ):
            looks[int(str(row))] = Look(
                picture, _caption(values, success[int(str(row))], scene), success[int(str(row))][0]
            )
    numbered = [
        Look(look.picture, f"{place}. {look.caption}", look.success)
        for place, look in enumerate((looks[int(row)] for row in order), 1)
    ]
    title = (
        f"{scene.name}: the first {len(order)} {kind}, most unknown first\n"
        "blue: the first to find or outline an object; orange: touches one, or finds it again"
    )
    return Picture(f"The first {kind} inspected", kind, looks_figure(numbered, title))


def _crops(
    scene: EvaluatedScene, candidates: SceneCandidates, image_id: str, rows: pd.DataFrame
) -> list[NDArray[np.uint8]]:
    """Pictures of candidates of one image."""
    try:
        image = scene.evaluated.work.sample(image_id).image
    except ImageError as error:
        scene.evaluated.unread[image_id] = str(error)
        return [blank_picture(THUMBNAIL)] * len(rows)
    masks = candidates.masks_of(image_id, rows["segment_id"].tolist())
    around = [SURROUNDINGS.around(box, image.shape) for box in row_boxes(rows)]
    return [outlined_crop(image, box, mask, THUMBNAIL) for box, mask in zip(around, masks, strict=True)]


def _successes(candidates: SceneCandidates, order: NDArray[np.intp]) -> dict[int, tuple[int, str]]:
    """Row → how to frame it, and what it does, in the order of looks."""
    image_of = {int(row): image for image, rows in enumerate(candidates.rows) for row in rows}
    place_of = {int(row): place for rows in candidates.rows for place, row in enumerate(rows)}
    found: set[tuple[int, int]] = set()
    does: dict[int, tuple[int, str]] = {}
    for row in (int(row) for row in order):
        match = candidates.matches[image_of[row]]
        iou, covered = match.iou[place_of[row]], match.covered[place_of[row]]
        hit = [(image_of[row], int(i)) for i in np.flatnonzero(iou >= FOUND)]
        words = "outlines" if (iou >= OUTLINED).any() else "finds" if hit else ""
        if not hit:
            touches = bool((covered > TOUCHED).any())
            does[row] = int(touches), "touches" if touches else ""
        else:
            does[row] = (2, words) if set(hit) - found else (1, f"{words} again")
        found |= set(hit)
    return does


def _caption(row: pd.Series, success: tuple[int, str], scene: EvaluatedScene) -> str:
    truth = scene.evaluated.label_set.label_name(int(row["label"])) if row["label"] >= 0 else ""
    return f"{row[SELECT_SCORE]:.1f} {truth}\n{success[1] or '–'}"
