"""The regions of a dataset's images: proposed and described once, in worker processes, and kept in the workspace."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oodretrieval.choices import BACKBONE
from oodretrieval.cluster import map_cluster
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.execution import map_ahead, progress, worker_processes
from oodretrieval.experiment.provenance import cached_weights_hash
from oodretrieval.experiment.settings import RAY
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.models.adapters import MaskGenerator
from oodretrieval.novelty import NoveltyModel, load_novelty_model
from oodretrieval.regions import RegionOptions, RegionTree, tree_of_masks
from oodretrieval.stages.measure.image_sizes import as_seen
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.select.region_description import MIN_SHARE, ImageTask, describe_image
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores import PredictionRecord, lock_folder, read_prediction_record
from oodretrieval.stores.regions import StoredRegions, has_regions, read_regions, regions_folder, regions_path

REGIONS = "regions"
VERSION = 5
"""Of how regions are proposed and described; another one makes them again."""
BLOCK = 16
"""Images that a worker of a cluster describes at a time."""
AHEAD = 2
"""Images that wait for each process."""


class DescribedRegions:
    """The regions of one network on one dataset.

    Args:
        work: Of which network on which dataset; its images are read.
        novelty: The novelty model, and its file; None where there is none: then regions have no distance.
        device: Where features and masks are computed.
        proposed_by: What proposes regions.

    Raises:
        WeightsError: If the network that proposes regions is not there, or its weights are damaged.
        ConfigurationError: If it needs a package that is missing, or is of another kind.
    """

    def __init__(
        self,
        work: StoredWork,
        novelty: tuple[NoveltyModel, Path] | None,
        device: torch.device,
        proposed_by: ObjectSettings,
    ) -> None:
        self.work, self.proposals, self._proposed_by = work, proposed_by.proposals, proposed_by
        self._generator: MaskGenerator | None = None
        self._generated_by: dict[str, str] = {}
        if proposed_by.proposals != REGIONS:
            folder = proposed_by.proposals_weights
            self._generator = MaskGenerator(folder, proposed_by.proposals, device)
            self._generated_by = {"generator": cached_weights_hash(Path(folder).expanduser())}
        self._novelty = novelty
        backbone = BACKBONE if novelty is None else str(novelty[0].made_by["backbone"])
        self.features = SegmentFeatures(backbone, device)
        self._known = "" if novelty is None else _digest(novelty[0])

    def read(self, image_id: str) -> StoredRegions:
        """The regions of an image.

        Args:
            image_id: Its id.

        Returns:
            What is kept of it.

        Raises:
            StoreError: If they were never described, or their file is damaged.
        """
        return read_regions(self._path(image_id))

    def _path(self, image_id: str) -> Path:
        return regions_path(self.work.workspace, self.work.names, self.proposals, image_id)

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
        failures = {image: work.why_unread(image) for image in images if image not in records}
        made_by = {image: self._made_by(record.digest) for image, record in records.items()}
        missing = [i for i in made_by if not has_regions(self._path(i), made_by[i])]
        if not missing:
            return failures
        with lock_folder(regions_folder(work.workspace, work.names, self.proposals)):
            todo = {image: records[image] for image in missing}
            return failures | (
                self._on_cluster(todo) if work.common.engine == RAY else self.describe_here(todo)
            )

    def describe_here(self, records: Mapping[str, PredictionRecord]) -> dict[str, str]:
        """Propose and describe the regions of images, in worker processes of this machine.

        Args:
            records: Image id → what its prediction says of itself.

        Returns:
            Image id → reason of those that failed.
        """
        failures: dict[str, str] = {}
        cores = min(self.work.common.cores, len(records))
        workers = worker_processes(cores) if cores > 1 else nullcontext()
        with (
            workers as pool,
            progress(total=len(records), desc=f"regions {self.work.names.dataset}", unit="image") as bar,
        ):
            tasks = self._tasks(records, failures, bar)
            for image, reason in map_ahead(describe_image, tasks, pool, ahead=AHEAD * max(1, cores)):
                bar.update()
                if reason:
                    failures[image] = reason
        return failures

    def _on_cluster(self, records: Mapping[str, PredictionRecord]) -> dict[str, str]:
        device = self.features.device.type
        novelty = None if self._novelty is None else self._novelty[1].absolute()
        prepare = partial(RegionBlocks, self.work.for_others(), novelty, device, self._proposed_by)
        items = list(records.items())
        tasks = [dict(items[start : start + BLOCK]) for start in range(0, len(items), BLOCK)]
        failures: dict[str, str] = {}
        for failed in map_cluster(prepare, tasks, gpu=device == "cuda", desc="regions", unit="block"):
            failures |= failed
        return failures

    def _tasks(
        self, records: Mapping[str, PredictionRecord], failures: dict[str, str], bar: progress
    ) -> Iterator[ImageTask]:
        """What worker processes need to describe these images; one that cannot be read is a failure."""
        novelty = None if self._novelty is None else self._novelty[1].resolve()
        for image, record in records.items():
            try:
                pixels = self.work.sample(image).image
            except ImageError as error:
                failures[image] = str(error)
                bar.update()
                continue
            features = self.features.region_maps(as_seen(pixels, record.settings))
            yield ImageTask(
                self.work.workspace.path,
                self.work.names,
                image,
                self.proposals,
                pixels,
                features.deep,
                features.windows,
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
            "known": self._known,
        }

    def feature_map(self, image_id: str) -> NDArray[np.float32]:
        """Features of an image, seen at the size at which its prediction was made.

        Args:
            image_id: Its id.

        Returns:
            ``(D, h, w)``.
        """
        path = self.work.workspace.prediction_path(self.work.names, image_id)
        image = self.work.sample(image_id).image
        return self.features.region_maps(as_seen(image, read_prediction_record(path).settings)).deep


class RegionBlocks:
    """Describes the regions of blocks of images, in a worker of a cluster.

    Args:
        work: Of which network on which dataset.
        novelty: File of the novelty model; None where there is none.
        device: Kind of device of the networks.
        proposed_by: What proposes regions.
    """

    def __init__(
        self, work: StoredWork, novelty: Path | None, device: str, proposed_by: ObjectSettings
    ) -> None:
        work.run.configuration.find_classes()
        model = None if novelty is None else (load_novelty_model(novelty), novelty)
        self.regions = DescribedRegions(work, model, torch.device(device), proposed_by)

    def __call__(self, records: Mapping[str, PredictionRecord]) -> dict[str, str]:
        """Describe the regions of some images.

        Args:
            records: Image id → what its prediction says of itself.

        Returns:
            Image id → reason of those that failed.
        """
        return self.regions.describe_here(records)


def _digest(known: NoveltyModel) -> str:
    """Hash of known features and windows."""
    return known.bank.digest + ("" if known.windows is None else known.windows.digest)
