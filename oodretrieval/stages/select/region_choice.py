"""Which regions of an image are shown as candidates, and by which weights they are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY, PUBLISHED
from oodretrieval.errors import SettingsError
from oodretrieval.evaluation.discovery import Matches, matches_of_areas
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.novelty import shared_among
from oodretrieval.regions import (
    Choice,
    RegionReference,
    RegionTree,
    ScoreWeights,
    choose_regions,
    order_scores,
    score_regions,
)
from oodretrieval.stores import OWN_SCORE, SELECT_SCORE
from oodretrieval.stores.boxes import SIDES
from oodretrieval.stores.regions import StoredRegions

_LEAST_SHARE = 0.01
"""Added to the share of a class before its logarithm is taken."""


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


@dataclass(frozen=True, eq=False)
class ChosenRegions:
    """The best set of regions of an image, or of several.

    Attributes:
        rows: One for each region, with its own score; see :meth:`~oodretrieval.stages.select.objects.Objects.table`.
        alike: What each looks like, in two halves that count alike, ``(k, C)`` and ``(k, d)``: nearly its mean logits,
            and features of another network with its size, how far down it lies and whether it is upright. None where
            the regions keep no such features.
    """

    rows: pd.DataFrame
    alike: tuple[NDArray[np.float64], NDArray[np.float64]] | None


def chosen_regions(
    stored: StoredRegions, image: str, reference: RegionReference, weights: ScoreWeights, choice: Choice
) -> ChosenRegions:
    """The best set of regions of an image.

    Args:
        stored: Its regions.
        image: Its id.
        reference: What regions are compared with.
        weights: Of the terms of the score.
        choice: Which are shown.

    Returns:
        The regions.
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
        SELECT_SCORE: scores[rows],
    }
    return ChosenRegions(pd.DataFrame(values), _alike(stored, rows))


def _alike(
    stored: StoredRegions, rows: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if stored.classes is None or stored.features is None:
        return None
    share, top, bottom, height, width, energy = (
        stored.columns[name][rows] for name in ("share", "top", "bottom", "height", "width", "energy")
    )
    logits = np.log(stored.tree.means(stored.classes)[rows] + _LEAST_SHARE) - energy[:, None]
    shapes = np.stack([np.log(share), top + bottom, np.log(height / width)], axis=1)
    return logits, np.concatenate([stored.tree.means(stored.features)[rows], shapes], axis=1)


def in_order(images: Sequence[ChosenRegions], choice: Choice) -> pd.DataFrame:
    """The regions shown of all images, with the scores by which they are inspected.

    What is unknown once is unknown again: a part of each score is shared among the regions that look most alike, as it
    is among segments. It says who comes first, not which regions are shown: a large unknown thing resembles nothing.

    Args:
        images: Of each image; of all that are searched together.
        choice: Which are shown.

    Returns:
        Their rows, with the score of each by itself in the column ``own_score``.
    """
    table = pd.concat([image.rows for image in images], ignore_index=True)
    scores = table[SELECT_SCORE].to_numpy(np.float64)
    alike = [image.alike for image in images if image.alike is not None]
    if len(alike) == len(images):
        logits, others = zip(*alike, strict=True)
        halves = np.concatenate(logits), np.concatenate(others)
        scores = shared_among(scores, halves, np.ones(len(scores), np.bool_), share=choice.shared)
    ends = np.cumsum([len(image.rows) for image in images])
    ordered = [order_scores(of_image, choice) for of_image in np.split(scores, ends[:-1])]
    table[OWN_SCORE] = table[SELECT_SCORE]
    table[SELECT_SCORE] = np.concatenate(ordered)
    return table


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
    return np.asarray(matches_of_regions(tree, objects).iou.max(axis=0), np.float64)


def matches_of_regions(tree: RegionTree, objects: Sequence[RunLengthMask]) -> Matches:
    """How all regions of an image lie on some objects, at once.

    Args:
        tree: The regions.
        objects: Masks in the image.

    Returns:
        The same as :func:`~oodretrieval.evaluation.discovery.match` of their masks.
    """
    superpixels, count = tree.at_full_size, len(tree.superpixel_areas)
    on = [np.bincount(superpixels[decode_mask(mask)], minlength=count) for mask in objects]
    shared = tree.sums(np.stack(on, axis=1) if on else np.zeros((count, 0)))
    return matches_of_areas(shared, tree.areas, [mask.area for mask in objects])
