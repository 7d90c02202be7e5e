"""Objects as candidates: regions of the images in use, scored next to each other, and the best set of each image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY, PUBLISHED
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import PartialFailure, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.novelty import NoveltyModel
from oodretrieval.regions import (
    Choice,
    RegionReference,
    ScoreWeights,
    choose_regions,
    score_regions,
)
from oodretrieval.stages.select.described_regions import DescribedRegions
from oodretrieval.stages.select.region_description import MIN_SHARE
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores import (
    SELECT_SCORE,
    StoredRegions,
)

REFERENCE_IMAGES, REFERENCE_REGIONS = 200, 100_000
"""Images, spread over the dataset, and regions of all of them that others are compared with, at most."""


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
        return ScoreWeights(evidence={"distance": 1.5})
    return ScoreWeights(evidence={select_by: 1.0, f"{select_by}_contrast": 0.25}, contrast=0.0)


class Objects:
    """The candidates of one network on one dataset, by regions of its images.

    Args:
        run: Configuration and workspace.
        names: Name of the segmentation network, name of the dataset.
        select_by: As ``args.select_by``.
        novelty: The novelty model, and its file; None where there is none.
        device: Where features and masks are computed.
        proposed_by: What proposes regions.

    Attributes:
        weights: What the score of a region weighs.
        regions: The regions of the images.
        reference: What others are compared with; None before there is any.

    Raises:
        SettingsError: If the score is one of segments alone, or needs a novelty model.
        WeightsError: If the network that proposes regions is not there, or its weights are damaged.
        ConfigurationError: If it needs a package that is missing, or is of another kind.
    """

    def __init__(
        self,
        run: Run,
        names: tuple[str, str],
        select_by: str,
        novelty: tuple[NoveltyModel, Path] | None,
        device: torch.device,
        proposed_by: ObjectSettings = ObjectSettings(),
    ) -> None:
        self.weights = weights_for(select_by)
        if novelty is None and "distance" in self.weights.evidence:
            raise SettingsError(f"args.select_by={select_by} needs a novelty model; fit one by train_novelty")
        self.regions = DescribedRegions(run, names, novelty, device, proposed_by)
        self.reference: RegionReference | None = None
        self._scores: NDArray[np.float64] = np.zeros(0)

    def found(
        self, common: CommonSettings, dataset: SegmentationDataset, images: Sequence[str]
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        """The best set of regions of each image, which are described first where they are not yet.

        Args:
            common: ``num_cores``, ``root`` of the dataset.
            dataset: Where images are read.
            images: Ids of the images.

        Returns:
            See :meth:`table`; and image id → reason of those that failed.

        Raises:
            PartialFailure: If all failed.
            StoreError: As :meth:`DescribedRegions.describe`.
        """
        failures = self.regions.describe(common, dataset, images)
        there = [image for image in images if image not in failures]
        if not there:
            raise PartialFailure("compute_embeddings", failures)
        return self.table(there), failures

    def compare(self, images: Sequence[str]) -> None:
        """Learn what regions of each size show, from some of the images; no truth is needed.

        Args:
            images: Ids of images whose regions are described.

        Raises:
            StoreError: If there is no region at all, or a file is damaged.
        """
        places = np.linspace(0, len(images) - 1, min(len(images), REFERENCE_IMAGES)).round().astype(int)
        places = np.unique(places)
        random = np.random.default_rng(0)
        sampled = []
        for place in places:
            columns = self.regions.read(images[place]).columns
            rows = random.permutation(len(columns["share"]))[: REFERENCE_REGIONS // len(places)]
            sampled.append({name: values[rows] for name, values in columns.items()})
        if not sum(len(terms["share"]) for terms in sampled):
            raise StoreError(
                f"no image of {self.regions.names[1]!r} has a region that may be an object; choose "
                "args.candidates=segments"
            )
        self.reference = RegionReference.of(sampled, self.weights.standardised)
        self._scores = np.concatenate([score_regions(t, self.reference, self.weights) for t in sampled])

    def threshold(self, quantile: float) -> float:
        """The score that a share of all regions stays below.

        Args:
            quantile: The share, 0…1.

        Returns:
            The score.
        """
        return float(np.quantile(self._scores, quantile))

    def table(self, images: Sequence[str], choice: Choice | None = None) -> pd.DataFrame:
        """The best set of regions of each image.

        Args:
            images: Ids of images whose regions are described.
            choice: Which are shown.

        Returns:
            One row per region: ``image_id``, ``segment_id`` (its number among the image's regions, from 1), box,
            ``S`` (pixels), ``class`` and ``label`` (of most of its pixels), ``source``, and ``select_score``.

        Raises:
            StoreError: If a file is damaged.
        """
        if self.reference is None:
            self.compare(images)
        assert self.reference is not None
        chosen = replace(Choice(), min_share=MIN_SHARE) if choice is None else choice
        tables = [
            _chosen(self.regions.read(image), image, self.reference, self.weights, chosen)
            for image in progress(images, desc=f"objects {self.regions.names[1]}", unit="image")
        ]
        return pd.concat(tables, ignore_index=True)

    def masks(self, image_id: str, segment_ids: Sequence[int]) -> list[RunLengthMask]:
        """The masks of regions of an image.

        Args:
            image_id: Its id.
            segment_ids: ``segment_id`` of each region.

        Returns:
            A mask for each.
        """
        masks = self.regions.read(image_id).tree.masks
        return [masks[int(number) - 1] for number in segment_ids]

    def best_iou(self, image_id: str, objects: Sequence[RunLengthMask]) -> NDArray[np.float64]:
        """How well the regions of an image, shown or not, fit some objects at best.

        Args:
            image_id: Its id.
            objects: Masks in the image.

        Returns:
            The best IoU of any region with each, ``(o,)``.
        """
        tree = self.regions.read(image_id).tree
        if not len(tree) or not len(objects):
            return np.zeros(len(objects))
        superpixels, count = tree.at_full_size, len(tree.superpixel_areas)
        on = [np.bincount(superpixels[decode_mask(mask)], minlength=count) for mask in objects]
        shared = np.asarray(tree.membership @ np.stack(on, axis=1).astype(np.float64))
        union = tree.areas[:, None] + np.array([mask.area for mask in objects]) - shared
        return np.asarray((shared / union).max(axis=0), np.float64)


def _chosen(
    stored: StoredRegions, image: str, reference: RegionReference, weights: ScoreWeights, choice: Choice
) -> pd.DataFrame:
    tree, columns = stored.tree, stored.columns
    scores = score_regions(columns, reference, weights) if len(tree) else np.zeros(0)
    rows = choose_regions(tree, scores, choice)
    boxes = tree.boxes[rows] if len(tree) else np.zeros((0, 4), np.int64)
    values: Mapping[str, Any] = {
        "image_id": np.full(len(rows), image, dtype=object),
        "segment_id": rows + 1,
        **dict(zip(("left", "top", "right", "bottom"), boxes.T, strict=True)),
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
    return pd.DataFrame(values)
