"""Objects as candidates: regions of the images in use, scored next to each other, and the best set of each image."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.errors import SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.masks import RunLengthMask
from oodretrieval.novelty import NoveltyModel
from oodretrieval.places import spread
from oodretrieval.regions import (
    Choice,
    RegionReference,
    score_regions,
)
from oodretrieval.stages.select.described_regions import DescribedRegions
from oodretrieval.stages.select.region_choice import best_iou_of_any, chosen_regions, in_order, weights_for
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores.regions import read_regions, regions_path

logger = logging.getLogger(__name__)
REFERENCE_IMAGES, REFERENCE_REGIONS = 200, 100_000
"""Images, spread over the dataset, and regions of all of them that others are compared with, at most."""
FEW_IMAGES = 10
"""Images below which it is said that what regions usually show is not well known."""


class Objects:
    """The candidates of one network on one dataset, by regions of its images.

    Args:
        work: Of which network on which dataset; its images are read.
        select_by: As ``args.select_by``.
        novelty: The novelty model, and its file; None where there is none.
        device: Where features and masks are computed.
        proposed_by: What proposes regions.

    Attributes:
        weights: What the score of a region weighs.
        regions: The regions of the images.
        reference: What others are compared with; None before there is any.

    Raises:
        SettingsError: If the score is one of segments alone, or needs a novelty model, or one that knows windows.
        WeightsError: If the network that proposes regions is not there, or its weights are damaged.
        ConfigurationError: If it needs a package that is missing, or is of another kind.
    """

    def __init__(
        self,
        work: StoredWork,
        select_by: str,
        novelty: tuple[NoveltyModel, Path] | None,
        device: torch.device,
        proposed_by: ObjectSettings = ObjectSettings(),
    ) -> None:
        self.weights = weights_for(select_by)
        if novelty is None and "distance" in self.weights.evidence:
            raise SettingsError(f"args.select_by={select_by} needs a novelty model; fit one by train_novelty")
        if novelty is not None and novelty[0].windows is None and "window_distance" in self.weights.evidence:
            raise SettingsError(
                f"the novelty model {str(novelty[1])!r} knows no windows, which regions are compared with; fit it "
                "again by train_novelty with args.overwrite=True, or choose args.candidates=segments"
            )
        self.regions = DescribedRegions(work, novelty, device, proposed_by)
        self.reference: RegionReference | None = None
        self._scores: NDArray[np.float64] = np.zeros(0)

    def found(self, images: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
        """The best set of regions of each image, which are described first where they are not yet.

        Args:
            images: Ids of the images.

        Returns:
            See :meth:`table`; and image id → reason of those that failed.

        Raises:
            AllFailedError: If all failed.
            StoreError: As :meth:`DescribedRegions.describe`.
        """
        failures = self.regions.describe(images)
        there = [image for image in images if image not in failures]
        if not there:
            raise self.regions.work.all_failed("compute_embeddings", failures)
        return self.table(there), failures

    def compare(self, images: Sequence[str]) -> None:
        """Learn what regions of each size show, from some of the images; no truth is needed.

        Args:
            images: Ids of images whose regions are described.

        Raises:
            StoreError: If there is no region at all, or a file is damaged.
        """
        places = spread(len(images), REFERENCE_IMAGES)
        if len(places) < FEW_IMAGES:
            logger.warning(
                "regions are compared with those of %d image%s only: what scores high among them may be common in "
                "others; scores of %d images or more are steadier",
                len(places), "" if len(places) == 1 else "s", FEW_IMAGES,
            )  # fmt: skip
        random = np.random.default_rng(0)
        sampled = []
        for place in places:
            columns = self.regions.read(images[place]).columns
            rows = random.permutation(len(columns["share"]))[: REFERENCE_REGIONS // len(places)]
            sampled.append({name: values[rows] for name, values in columns.items()})
        if not sum(len(terms["share"]) for terms in sampled):
            raise StoreError(
                f"no image of {self.regions.work.names.dataset!r} has a region that may be an object; choose "
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
        chosen = Choice() if choice is None else choice
        found = [
            chosen_regions(self.regions.read(image), image, self.reference, self.weights, chosen)
            for image in progress(images, desc=f"objects {self.regions.work.names.dataset}", unit="image")
        ]
        return in_order(found, chosen)

    def masks(self, image_id: str, segment_ids: Sequence[int]) -> list[RunLengthMask]:
        """The masks of regions of an image.

        Args:
            image_id: Its id.
            segment_ids: ``segment_id`` of each region.

        Returns:
            A mask for each.
        """
        return region_masks(self.regions.work, self.regions.proposals, image_id, segment_ids)

    def best_iou(self, image_id: str, objects: Sequence[RunLengthMask]) -> NDArray[np.float64]:
        """How well the regions of an image, shown or not, fit some objects at best.

        Args:
            image_id: Its id.
            objects: Masks in the image.

        Returns:
            The best IoU of any region with each, ``(o,)``.
        """
        return best_iou_of_any(self.regions.read(image_id).tree, objects)


def region_masks(
    work: StoredWork, proposals: str, image_id: str, segment_ids: Sequence[int]
) -> list[RunLengthMask]:
    """The masks of regions of an image.

    Args:
        work: Of which network on which dataset.
        proposals: What proposed them.
        image_id: Its id.
        segment_ids: Numbers of the regions, from 1.

    Returns:
        A mask for each.

    Raises:
        StoreError: If the regions were never described, or their file is damaged.
    """
    masks = read_regions(regions_path(work.workspace, work.names, proposals, image_id)).tree.masks
    return [masks[int(number) - 1] for number in segment_ids]
