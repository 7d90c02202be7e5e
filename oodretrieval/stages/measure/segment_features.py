"""Features of every segment: an ImageNet network sees the image once, a segment takes the mean over its pixels."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.embedding.embed import full_float32
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.errors import ImageError, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.models.backbones import LITE, Backbone
from oodretrieval.novelty import pool_by_segment
from oodretrieval.segments import label_components
from oodretrieval.stores import (
    Workspace,
    existing_parts,
    features_path,
    read_features,
    read_prediction,
    read_segment_settings,
    write_features,
)

logger = logging.getLogger(__name__)
STRIDE = 16


class SegmentFeatures:
    """Computes, and keeps in the workspace, the features of all segments of a table.

    Args:
        workspace: Where predictions and tables lie.
        backbone: Network that gives the features; one whose ImageNet weights come with the project.
        device: Where it runs.

    Raises:
        SettingsError: If the weights of the backbone do not come with the project.
    """

    def __init__(self, workspace: Workspace, backbone: str, device: torch.device) -> None:
        if backbone not in LITE:
            raise SettingsError(f"features are of one of {', '.join(LITE)}, not of {backbone!r}")
        self.workspace, self.backbone, self.device = workspace, backbone, device
        self._network: Backbone | None = None
        self._cannot_keep = False

    def of(
        self, names: tuple[str, str], dataset: SegmentationDataset, table: pd.DataFrame
    ) -> tuple[NDArray[np.float32], dict[str, str]]:
        """The features of the segments of a table.

        Args:
            names: Name of the segmentation network, name of the dataset.
            dataset: Where the images are read.
            table: Segment table of both, or whole images of it.

        Returns:
            ``(n, D)``, row i of row i of the table, NaN where the image cannot be read; and image id → reason of
            those.
        """
        failures: dict[str, str] = {}
        wanted = set(table["image_id"])
        made_of = read_segment_settings(self.workspace, *names)
        parts = existing_parts(self.workspace, *names)
        needed = {number: [i for i in images if i in wanted] for number, images in parts.items()}
        needed = {number: images for number, images in needed.items() if images}
        counts = table.groupby("image_id", sort=False).size()
        found = []
        with progress(total=len(wanted), desc=f"features {names[1]}", unit="image") as bar:
            for number, images in needed.items():
                rows = int(counts[images].sum())
                made_by = {"segments": made_of, "backbone": self.backbone, "images": images}
                made_by["device"] = self.device.type  # whose rounding they have
                path = features_path(self.workspace, names, self.backbone, number)
                vectors: Any = read_features(path, rows, made_by)
                if vectors is None:
                    failed: dict[str, str] = {}
                    vectors = np.concatenate(list(self._pooled(names, dataset, images, counts, failed)))
                    if not failed:
                        self._keep(path, vectors, made_by)
                    failures |= failed
                found.append(vectors.astype(np.float16).astype(np.float32))
                bar.update(len(images))
        return np.concatenate(found), failures

    def _keep(self, path: Path, vectors: NDArray[np.floating], made_by: dict[str, Any]) -> None:
        """Keep features for the next time; a workspace that can only be read will do without."""
        try:
            write_features(path, vectors, made_by)
        except StoreError as error:
            if not self._cannot_keep:
                logger.warning("features are not kept for the next time: %s", error)
            self._cannot_keep = True

    def _pooled(
        self,
        names: tuple[str, str],
        dataset: SegmentationDataset,
        images: list[str],
        counts: "pd.Series[int]",
        failed: dict[str, str],
    ) -> Iterator[NDArray[np.float32]]:
        places = {image: index for index, image in enumerate(dataset.ids)}
        for image in images:
            try:
                if image not in places:
                    raise StoreError(f"dataset {names[1]!r} has no image {image!r} any more")
                prediction = read_prediction(self.workspace, *names, image).prediction
                features = self._features(dataset[places[image]].image)
                pooled = pool_by_segment(features, label_components(prediction))
                if len(pooled) != counts[image]:
                    raise StoreError(
                        f"the prediction of {image} has {len(pooled)} segments, its table {counts[image]}; run "
                        "scripts/compute_metrics.py with args.overwrite=True"
                    )
                yield pooled
            except (ImageError, StoreError) as error:
                failed[image] = str(error)
                yield np.full((int(counts[image]), self.network.channels[0]), np.nan, np.float32)

    @property
    def network(self) -> Backbone:
        """The network, built when it is first needed."""
        if self._network is None:
            network = Backbone(self.backbone, (STRIDE,), STRIDE, "packaged").eval()
            self._network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._network

    @torch.inference_mode()
    def _features(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = image_tensor(image, LITE_MEAN, LITE_STD)[None].to(self.device)
        with full_float32():
            features: Tensor = self.network(batch.contiguous(memory_format=torch.channels_last))[0][0]
        array: NDArray[np.float32] = features.float().cpu().numpy()
        return array
