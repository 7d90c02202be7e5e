"""The candidates of a scene, and how they lie on its unknown objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY, OBJECTS
from oodretrieval.embedding import pool_by_segment
from oodretrieval.errors import StoreError, TableError
from oodretrieval.evaluation import DiscoveryCurve, unknown_objects
from oodretrieval.evaluation.discovery import Matches, curve_of_matches, match
from oodretrieval.evaluation.feedback_simulation import Answer
from oodretrieval.execution import progress
from oodretrieval.experiment.run import Run
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.seen_images import score_others, seen_by
from oodretrieval.stages.select.crops import MasksOf, segment_masks
from oodretrieval.stages.select.objects import Objects
from oodretrieval.stages.select.region_description import MIN_SHARE
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import SelectionRule
from oodretrieval.stores import SELECT_SCORE, joined
from oodretrieval.stores.boxes import SIDES

_PREDICTED_SEGMENTS = "predicted segments"
"""Next to the objects, what they are compared with."""
COLUMNS = ("image_id", "segment_id", *SIDES, "S", "label", "unknown_fraction", "void_fraction", SELECT_SCORE)
"""What is kept of every segment."""


@dataclass(frozen=True, eq=False)
class SceneCandidates:
    """Candidates of one kind, of all images of a scene.

    Attributes:
        table: ``n`` rows with ``image_id``, ``segment_id``, box, ``label``, ``unknown_fraction``, ``void_fraction`` and
            ``select_score``.
        rows: Rows of each image.
        matches: How those lie on the image's objects.
        masks_of: What knows their masks.
        vectors: ``(n, D)``, what the simulated person's answers are learned from.
    """

    table: pd.DataFrame
    rows: list[NDArray[np.intp]]
    matches: list[Matches]
    masks_of: MasksOf
    vectors: NDArray[np.float32]

    @property
    def scores(self) -> NDArray[np.float64]:
        """What they are ordered by, ``(n,)``."""
        return self.table[SELECT_SCORE].to_numpy(np.float64)

    def curve(
        self, scores: NDArray[np.float64], images: Sequence[int] | NDArray[np.intp] | None = None
    ) -> DiscoveryCurve:
        """What is found in the order of some scores.

        Args:
            scores: Of all candidates, ``(n,)``, higher first.
            images: Places of the images that count, with repetitions; None for each once.

        Returns:
            The curve.

        Raises:
            ValueError: If these images show no object.
        """
        chosen = range(len(self.rows)) if images is None else images
        return curve_of_matches([self.matches[i] for i in chosen], [scores[self.rows[i]] for i in chosen])


@dataclass(frozen=True, eq=False)
class EvaluatedScene:
    """What is measured of a dataset.

    Attributes:
        evaluated: The network on the dataset.
        images: Ids of the images evaluated.
        sizes: Of the images, (H, W).
        candidates: Kind → candidates.
        best_iou: The best IoU of any proposed region with each object, whether it is shown or not.
        small: Unknown things too small to be an object.
        notes: What a reader must know.
    """

    evaluated: Evaluated
    images: list[str]
    sizes: set[tuple[int, int]]
    candidates: dict[str, SceneCandidates]
    best_iou: NDArray[np.float64]
    small: int
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.evaluated.work.names.dataset

    def answers(self, candidates: SceneCandidates) -> list[Answer]:
        """What a person who never errs says of candidates.

        Args:
            candidates: Of the scene.

        Returns:
            Of each the kind of unknown thing that it mostly is; True where that has no name, False where it is none.
        """
        unknown = candidates.table["unknown_fraction"].to_numpy() > 0.5
        labels = candidates.table["label"].to_numpy(np.int64)
        label_set = self.evaluated.label_set
        known = label_set.unknown_ids
        return [
            (label_set.label_name(int(label)) if int(label) in known else True) if yes else False
            for yes, label in zip(unknown, labels, strict=True)
        ]


def read_scene(settings: DiscoverySettings, run: Run, name: str, device: torch.device) -> EvaluatedScene:
    """Gather the candidates of a dataset; regions that are not described yet are described first.

    Args:
        settings: What is evaluated.
        run: Configuration and workspace.
        name: Name of the dataset.
        device: Where features are computed.

    Returns:
        The scene.

    Raises:
        StoreError: If a stage before has not run.
        TableError: If it has no truth, or shows no unknown object.
        AllFailedError: If no prediction can be read.
    """
    work = run.stored(settings.model_name, name, settings.common)
    evaluated = Evaluated.on(work, run, settings.evaluation, "eval_discovery")
    rule = SelectionRule(select_by=settings.select_by, select_number=1)
    selector = Selector(rule, device, run, settings.model_name, "")
    seen = seen_by(run, work, novelty=settings.select_by in (NOVELTY, DISTANCE))
    failures = evaluated.unread
    images, _, scored = score_others(seen, work, selector, failures)
    table = joined(part[list(COLUMNS)] for part in scored)
    objects = Objects(work, settings.select_by, selector.novelty_file, device, settings.objects)
    failures.update(objects.regions.describe([i for i in images if i not in failures]))
    images = [image for image in images if image not in failures]
    if failures and not images:
        raise work.all_failed(evaluated.stage, failures)
    truth = _Truth.of(evaluated, images)
    images = [image for image in images if image in truth.masks]
    regions = objects.table(images)
    segments = table[table["image_id"].isin(images) & (table["S"] >= MIN_SHARE * truth.pixels)]
    features = _Features(objects)
    kinds: dict[str, tuple[pd.DataFrame, MasksOf]] = {
        OBJECTS: (regions, objects.masks),
        _PREDICTED_SEGMENTS: (segments.reset_index(drop=True), partial(segment_masks, work)),
    }
    found = {
        kind: _matched(*listed, images, truth, features if settings.looks else None)
        for kind, listed in kinds.items()
    }
    best = [objects.best_iou(image, truth.masks[image]) for image in images]
    if not sum(map(len, best)):
        raise TableError(f"no image of {name!r} shows an unknown object of at least 0.1 % of its area")
    return EvaluatedScene(
        evaluated,
        images,
        truth.sizes,
        found,
        np.concatenate(best),
        truth.small,
        seen.notes,
    )


@dataclass(frozen=True)
class _Truth:
    """The unknown objects of each image that has labels."""

    masks: dict[str, list[RunLengthMask]]
    sizes: set[tuple[int, int]]
    small: int

    @classmethod
    def of(cls, evaluated: Evaluated, images: Sequence[str]) -> "_Truth":
        masks, sizes, small = {}, set(), 0
        for prediction in evaluated.predictions(images, "unknown objects"):
            labels = prediction.labels
            assert labels is not None  # with_truth
            things = unknown_objects(labels, evaluated.label_set.unknown_ids)
            masks[prediction.image_id] = things.masks
            sizes.add((labels.shape[0], labels.shape[1]))
            small += len(things.small)
        return cls(masks, sizes, small)

    @property
    def pixels(self) -> int:
        """Of the smallest image."""
        return min(height * width for height, width in self.sizes)


class _Features:
    """Features of candidates of one image, pooled over masks of which none overlaps another."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def of(self, image_id: str, masks: Sequence[RunLengthMask]) -> NDArray[np.float32]:
        features = self._objects.regions.feature_map(image_id)
        components = np.zeros(masks[0].size, np.int32)
        for number, mask in enumerate(masks, 1):
            components[decode_mask(mask)] = number
        return pool_by_segment(features, components)


def _matched(
    table: pd.DataFrame, masks_of: MasksOf, images: Sequence[str], truth: _Truth, features: _Features | None
) -> SceneCandidates:
    """Compare candidates with the objects of their images."""
    by_image = table.groupby("image_id").indices
    rows = [np.asarray(by_image.get(image, np.zeros(0, np.intp))) for image in images]
    matches, vectors = [], np.zeros((len(table), 0), np.float32)
    for image, places in zip(progress(images, desc="objects", unit="image"), rows, strict=True):
        masks = list(masks_of(image, table["segment_id"].to_numpy()[places].tolist()))
        known = [mask for mask in masks if mask is not None]
        if len(known) < len(masks):
            raise StoreError(f"the prediction of {image!r} has gone; run scripts/pred_images.py again")
        matches.append(match(known, truth.masks[image]))
        if features is not None and known:
            pooled = features.of(image, known)
            if not vectors.shape[1]:
                vectors = np.zeros((len(table), pooled.shape[1]), np.float32)
            vectors[places] = pooled
    return SceneCandidates(table, rows, matches, masks_of, vectors)
