"""Which regions of an image are shown as candidates, and by which weights they are scored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY, PUBLISHED
from oodretrieval.errors import SettingsError
from oodretrieval.evaluation.discovery import matches_of_areas
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.regions import (
    Choice,
    RegionReference,
    RegionTree,
    ScoreWeights,
    choose_regions,
    order_scores,
    score_regions,
)
from oodretrieval.stores import SELECT_SCORE
from oodretrieval.stores.boxes import SIDES
from oodretrieval.stores.regions import StoredRegions


def weights_for(select_by: str) -> ScoreWeights:
    """What the score of a region weighs when candidates are selected by a score of segments.

    Args:
        select_by: As ``args.select_by``.

    Returns:
        The weights.

    Raises:
        SettingsError: If the score is one of segments alone.
    """
    if select_by == NOVELTY:
        return ScoreWeights()
    if select_by == PUBLISHED:
        raise SettingsError("the predicted IoU is one of segments; regions have another score")
    if select_by == DISTANCE:
        return ScoreWeights(evidence={"distance": 0.75, "window_distance": 0.75})
    return ScoreWeights(evidence={select_by: 1.0, f"{select_by}_contrast": 0.25}, contrast=0.0)


def chosen_regions(
    stored: StoredRegions, image: str, reference: RegionReference, weights: ScoreWeights, choice: Choice
) -> pd.DataFrame:
    """The best set of regions of an image.

    Args:
        stored: Its regions.
        image: Its id.
        reference: What regions are compared with.
        weights: Of the terms of the score.
        choice: Which are shown.

    Returns:
        One row per region; see :meth:`~oodretrieval.stages.select.objects.Objects.table`.
    """
    tree, columns = stored.tree, stored.columns
    scores = score_regions(columns, reference, weights) if len(tree) else np.zeros(0)
    rows = choose_regions(tree, scores, choice)
    boxes = tree.boxes[rows] if len(tree) else np.zeros((0, 4), np.int64)
    values: Mapping[str, Any] = {
        "image_id": np.full(len(rows), image, dtype=object),
        "segment_id": rows + 1,
        **dict(zip(SIDES, boxes.T, strict=True)),
        "S": tree.areas[rows] if len(tree) else np.zeros(0, np.int64),
        "class": columns["class"][rows].astype(np.int64),
        "label": columns["label"][rows].astype(np.int64),
        "unknown_fraction": columns["unknown_fraction"][rows],
        "void_fraction": columns["void_fraction"][rows],
        "E": columns["entropy"][rows],
        "energy": -columns["energy"][rows],
        "source": tree.source[rows].astype(object),
        SELECT_SCORE: order_scores(scores, rows, choice),
    }
    return pd.DataFrame(values)


def best_iou_of_any(tree: RegionTree, objects: Sequence[RunLengthMask]) -> NDArray[np.float64]:
    """How well any region of an image fits some objects at best.

    Args:
        tree: The regions.
        objects: Masks in the image.

    Returns:
        The best IoU with each, ``(o,)``.
    """
    if not len(tree) or not len(objects):
        return np.zeros(len(objects))
    superpixels, count = tree.at_full_size, len(tree.superpixel_areas)
    on = [np.bincount(superpixels[decode_mask(mask)], minlength=count) for mask in objects]
    shared = tree.sums(np.stack(on, axis=1))
    matches = matches_of_areas(shared, tree.areas, [mask.area for mask in objects])
    return np.asarray(matches.iou.max(axis=0), np.float64)
