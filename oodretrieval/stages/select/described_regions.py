"""The regions of a dataset's images: proposed and described once, in worker processes, and kept in the workspace."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.execution import map_ahead, progress, worker_processes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored import predictions_in_use
from oodretrieval.models import weights_hash
from oodretrieval.models.adapters import MaskGenerator
from oodretrieval.novelty import NoveltyModel
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.regions import RegionOptions, RegionTree, tree_of_masks
from oodretrieval.stages.measure.segment_features import SegmentFeatures, as_seen
from oodretrieval.stages.select.region_description import MIN_SHARE, ImageTask, describe_image
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores import (
    StoredRegions,
    has_regions,
    lock_folder,
    read_prediction_record,
    read_regions,
    regions_folder,
    regions_path,
)

REGIONS = "regions"
VERSION = 2
"""Of how regions are proposed and described; another one makes them again."""
BACKBONE = "tf_efficientnet_lite0"
"""What gives features where there is no novelty model."""
AHEAD = 2
"""Images that wait for each process."""


class DescribedRegions:
    """The regions of one network on one dataset.

    Args:
        run: Configuration and workspace.
        names: Name of the segmentation network, name of the dataset.
        novelty: The novelty model, and its file; None where there is none: then regions have no distance.
        device: Where features and masks are computed.
        proposed_by: What proposes regions.

    Raises:
        WeightsError: If the network that proposes regions is not there, or its weights are damaged.
        ConfigurationError: If it needs a package that is missing, or is of another kind.
    """

    def __init__(
        self,
        run: Run,
        names: tuple[str, str],
        novelty: tuple[NoveltyModel, Path] | None,
        device: torch.device,
        proposed_by: ObjectSettings,
    ) -> None:
        self.names = names
        self._run, self._novelty, self._proposals = run, novelty, proposed_by.proposals
        self._generator: MaskGenerator | None = None
        self._generated_by: dict[str, str] = {}
        if proposed_by.proposals != REGIONS:
            folder = proposed_by.proposals_weights
            self._generator = MaskGenerator(folder, proposed_by.proposals, device)
            self._generated_by = {"generator": weights_hash(Path(folder).expanduser())}
        backbone = BACKBONE if novelty is None else str(novelty[0].made_by["backbone"])
        self._features = SegmentFeatures(run.workspace, backbone, device)

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
        return regions_path(self._run.workspace, self.names, self._proposals, image_id)

    def describe(
        self, common: CommonSettings, dataset: SegmentationDataset, images: Sequence[str]
    ) -> dict[str, str]:
        """Propose and describe the regions of images that have none yet; what is there already stays.

        Args:
            common: ``num_cores``, ``root`` of the dataset.
            dataset: Where images are read.
            images: Ids of the images.

        Returns:
            Image id → reason of those that failed.

        Raises:
            StoreError: If no logits were kept, another process describes them, or nothing can be written.
        """
        records = predictions_in_use(common, self._run, self.names, images)
        kept = {str(record.settings.get("keep", "logits")) for record in records.values()} - {"logits"}
        if kept:
            raise StoreError(
                f"objects are proposed from the logits, and the predictions of {self.names[0]} on {self.names[1]} were "
                f"made with args.keep={kept.pop()}; predict again with args.keep=logits args.overwrite=True, or choose "
                "args.candidates=segments"
            )
        failures = {image: "it has no prediction" for image in images if image not in records}
        made_by = {image: self._made_by(record.digest) for image, record in records.items()}
        missing = [i for i in made_by if not has_regions(self._path(i), made_by[i])]
        if not missing:
            return failures
        places = {image: index for index, image in enumerate(dataset.ids)}
        novelty = None if self._novelty is None else self._novelty[1].resolve()

        def tasks() -> Iterator[ImageTask]:
            for image in missing:
                try:
                    pixels = dataset[places[image]].image
                except ImageError as error:
                    failures[image] = str(error)
                    bar.update()
                    continue
                features = self._features.feature_map(as_seen(pixels, records[image].settings))
                yield ImageTask(
                    self._run.workspace.path,
                    self.names,
                    image,
                    self._proposals,
                    pixels,
                    features,
                    novelty,
                    made_by[image],
                    self._generated(pixels),
                )

        cores = min(common.num_cores, len(missing))
        workers = worker_processes(cores) if cores > 1 else nullcontext()
        folder = regions_folder(self._run.workspace, self.names, self._proposals)
        with (
            lock_folder(folder),
            workers as pool,
            progress(total=len(missing), desc=f"regions {self.names[1]}", unit="image") as bar,
        ):
            for image, reason in map_ahead(describe_image, tasks(), pool, ahead=AHEAD * max(1, cores)):
                bar.update()
                if reason:
                    failures[image] = reason
        return failures

    def _generated(self, image: NDArray[np.uint8]) -> RegionTree | None:
        """The masks of Segment Anything, where it proposes regions."""
        if self._generator is None:
            return None
        masks = self._generator(image)
        shares = masks.mean(axis=(1, 2))
        fitting = masks[(shares >= MIN_SHARE) & (shares <= RegionOptions().max_share)]
        return tree_of_masks(fitting, (image.shape[0], image.shape[1]), self._proposals)

    def _made_by(self, digest: str) -> dict[str, Any]:
        return {
            "prediction": digest,
            "proposals": self._proposals,
            "version": VERSION,
            "backbone": self._features.backbone,
            **self._generated_by,
            "device": self._features.device.type,  # as it has a rounding of its own
            "known": "" if self._novelty is None else _digest(self._novelty[0].bank),
        }

    def feature_map(self, image: NDArray[np.uint8], image_id: str) -> NDArray[np.float32]:
        """Features of an image, seen at the size at which its prediction was made.

        Args:
            image: ``(H, W, 3)``.
            image_id: Its id.

        Returns:
            ``(D, h, w)``.
        """
        path = self._run.workspace.prediction_path(*self.names, image_id)
        return self._features.feature_map(as_seen(image, read_prediction_record(path).settings))


def _digest(bank: FeatureBank) -> str:
    """Of known features: a novelty model that is fitted again may keep the same ones."""
    content = hashlib.blake2b(digest_size=16)
    for values in (bank.mean, bank.std, bank.vectors):
        content.update(np.ascontiguousarray(values).data)
    return content.hexdigest()
