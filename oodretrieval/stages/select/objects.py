"""Objects as candidates: regions of the images in use, scored next to each other, and the best set of each image."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.errors import ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.execution import map_ahead, progress, worker_processes
from oodretrieval.experiment.provenance import cached_weights_hash
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.masks import RunLengthMask
from oodretrieval.models.adapters import MaskGenerator
from oodretrieval.novelty import NoveltyModel
from oodretrieval.regions import (
    Choice,
    RegionOptions,
    RegionReference,
    RegionTree,
    score_regions,
    tree_of_masks,
)
from oodretrieval.stages.measure.segment_features import SegmentFeatures, as_seen
from oodretrieval.stages.select.region_choice import best_iou_of_any, chosen_regions, weights_for
from oodretrieval.stages.select.region_description import MIN_SHARE, ImageTask, describe_image
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores import PredictionRecord, lock_folder, read_prediction_record
from oodretrieval.stores.regions import has_regions, read_regions, regions_folder, regions_path

REGIONS = "regions"
VERSION = 2
"""Of how regions are proposed and described; another one makes them again."""
BACKBONE = "tf_efficientnet_lite0"
"""What gives features where there is no novelty model."""
REFERENCE_IMAGES, REFERENCE_REGIONS = 200, 100_000
"""Images, spread over the dataset, and regions of all of them that others are compared with, at most."""
AHEAD = 2
"""Images that wait for each process."""


class Objects:
    """The candidates of one network on one dataset, by regions of its images.

    Args:
        work: Of which network on which dataset; its images are read.
        select_by: As ``args.select_by``.
        novelty: The novelty model, and its file; None where there is none.
        device: Where features and masks are computed.
        proposed_by: What proposes regions.

    Raises:
        SettingsError: If the score is one of segments alone, or needs a novelty model.
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
        self.work, self.proposals = work, proposed_by.proposals
        self._generator: MaskGenerator | None = None
        self._generated_by: dict[str, str] = {}
        if proposed_by.proposals != REGIONS:
            folder = proposed_by.proposals_weights
            self._generator = MaskGenerator(folder, proposed_by.proposals, device)
            self._generated_by = {"generator": cached_weights_hash(Path(folder).expanduser())}
        self._novelty = novelty
        if novelty is None and "distance" in self.weights.evidence:
            raise SettingsError(f"args.select_by={select_by} needs a novelty model; fit one by train_novelty")
        backbone = BACKBONE if novelty is None else str(novelty[0].made_by["backbone"])
        self.features = SegmentFeatures(backbone, device)
        self.reference: RegionReference | None = None
        self._scores: NDArray[np.float64] = np.zeros(0)

    def _path(self, image_id: str) -> Path:
        return regions_path(self.work.workspace, self.work.names, self.proposals, image_id)

    def found(self, images: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
        """The best set of regions of each image, which are described first where they are not yet.

        Args:
            images: Ids of the images.

        Returns:
            See :meth:`table`; and image id → reason of those that failed.

        Raises:
            PartialFailure: If all failed.
            StoreError: As :meth:`describe`.
        """
        failures = self.describe(images)
        there = [image for image in images if image not in failures]
        if not there:
            raise PartialFailure("compute_embeddings", failures)
        return self.table(there), failures

    def describe(self, images: Sequence[str]) -> dict[str, str]:
        """Propose and describe the regions of images that have none yet; what is there already stays.

        Args:
            images: Ids of the images.

        Returns:
            Image id → reason of those that failed.

        Raises:
            StoreError: If no logits were kept, another process describes them, or nothing can be written.
        """
        work = self.work
        records = work.records(images)
        kept = {str(record.settings.get("keep", "logits")) for record in records.values()} - {"logits"}
        if kept:
            raise StoreError(
                f"objects are proposed from the logits, and the predictions of {work.names} were made with "
                f"args.keep={kept.pop()}; predict again with args.keep=logits args.overwrite=True, or choose "
                "args.candidates=segments"
            )
        failures = {image: "it has no prediction" for image in images if image not in records}
        made_by = {image: self._made_by(record.digest) for image, record in records.items()}
        missing = [i for i in made_by if not has_regions(self._path(i), made_by[i])]
        if not missing:
            return failures
        cores = min(work.common.num_cores, len(missing))
        workers = worker_processes(cores) if cores > 1 else nullcontext()
        with (
            lock_folder(regions_folder(work.workspace, work.names, self.proposals)),
            workers as pool,
            progress(total=len(missing), desc=f"regions {work.names.dataset}", unit="image") as bar,
        ):
            tasks = self._tasks({image: records[image] for image in missing}, failures, bar)
            for image, reason in map_ahead(describe_image, tasks, pool, ahead=AHEAD * max(1, cores)):
                bar.update()
                if reason:
                    failures[image] = reason
        return failures

    def _tasks(
        self, records: Mapping[str, PredictionRecord], failures: dict[str, str], bar: progress
    ) -> Iterator[ImageTask]:
        """What worker processes need to describe these images; one that cannot be read is a failure."""
        dataset = self.work.dataset
        places = {image: index for index, image in enumerate(dataset.ids)}
        novelty = None if self._novelty is None else self._novelty[1].resolve()
        for image, record in records.items():
            try:
                pixels = dataset[places[image]].image
            except ImageError as error:
                failures[image] = str(error)
                bar.update()
                continue
            features = self.features.feature_map(as_seen(pixels, record.settings))
            yield ImageTask(
                self.work.workspace.path,
                self.work.names,
                image,
                self.proposals,
                pixels,
                features,
                novelty,
                self._made_by(record.digest),
                self._generated(pixels),
            )

    def _generated(self, image: NDArray[np.uint8]) -> RegionTree | None:
        """The masks of Segment Anything, where it proposes regions."""
        if self._generator is None:
            return None
        masks = self._generator(image)
        shares = masks.mean(axis=(1, 2))
        fitting = masks[(shares >= MIN_SHARE) & (shares <= RegionOptions().max_share)]
        return tree_of_masks(fitting, (image.shape[0], image.shape[1]), self.proposals)

    def _made_by(self, digest: str) -> dict[str, Any]:
        return {
            "prediction": digest,
            "proposals": self.proposals,
            "version": VERSION,
            "backbone": self.features.backbone,
            **self._generated_by,
            "device": self.features.device.type,  # as it has a rounding of its own
            "known": "" if self._novelty is None else self._novelty[0].bank.digest(),
        }

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
        for place in places.tolist():
            columns = read_regions(self._path(images[place])).columns
            rows = random.permutation(len(columns["share"]))[: REFERENCE_REGIONS // len(places)]
            sampled.append({name: values[rows] for name, values in columns.items()})
        if not sum(len(terms["share"]) for terms in sampled):
            raise StoreError(
                f"no image of {self.work.names.dataset!r} has a region that may be an object; choose "
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
            chosen_regions(self._path(image), image, self.reference, self.weights, chosen)
            for image in progress(images, desc=f"objects {self.work.names.dataset}", unit="image")
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
        masks = read_regions(self._path(image_id)).tree.masks
        return [masks[int(number) - 1] for number in segment_ids]

    def best_iou(self, image_id: str, objects: Sequence[RunLengthMask]) -> NDArray[np.float64]:
        """How well the regions of an image, shown or not, fit some objects at best.

        Args:
            image_id: Its id.
            objects: Masks in the image.

        Returns:
            The best IoU of any region with each, ``(o,)``.
        """
        return best_iou_of_any(read_regions(self._path(image_id)).tree, objects)

    def feature_map(self, image: NDArray[np.uint8], image_id: str) -> NDArray[np.float32]:
        """Features of an image, seen at the size at which its prediction was made.

        Args:
            image: ``(H, W, 3)``.
            image_id: Its id.

        Returns:
            ``(D, h, w)``.
        """
        path = self.work.workspace.prediction_path(self.work.names, image_id)
        return self.features.feature_map(as_seen(image, read_prediction_record(path).settings))
