"""Features of every segment: an ImageNet network sees the image once, a segment takes the mean over its pixels."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.errors import ImageError, SettingsError, StoreError
from oodretrieval.models.backbones import LITE, Backbone
from oodretrieval.novelty import pool_by_segment
from oodretrieval.stages.predict.inference_settings import size_seen
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
        with tqdm(total=len(wanted), desc=f"features {names[1]}", unit="image", disable=None) as bar:
            for number, images in needed.items():
                rows = int(counts[images].sum())
                made_by = {"segments": made_of, "backbone": self.backbone, "images": images}
                if "resize" in made_of:
                    made_by["seen"] = (
                        "as by the segmentation network"  # earlier versions saw them at full size
                    )
                path = features_path(self.workspace, names, self.backbone, number)
                vectors: Any = read_features(path, rows, made_by)
                if vectors is None:
                    failed: dict[str, str] = {}
                    vectors = np.concatenate(list(self._pooled(names, dataset, images, counts, failed)))
                    if not failed:
                        write_features(path, vectors, made_by)
                    failures |= failed
                found.append(vectors.astype(np.float16).astype(np.float32))
                bar.update(len(images))
        return np.concatenate(found), failures

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
                prediction = read_prediction(self.workspace, *names, image)
                seen = _as_seen(dataset[places[image]].image, prediction.settings)
                pooled = pool_by_segment(self._features(seen), prediction.components())
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
        features: Tensor = self.network(batch.contiguous(memory_format=torch.channels_last))[0][0]
        array: NDArray[np.float32] = features.float().cpu().numpy()
        return array


def _as_seen(image: NDArray[np.uint8], recorded: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The image in the size at which the segmentation network saw it.

    Features change with the size of things, and are compared with those of images that were seen at that size.
    """
    size = size_seen(recorded, *image.shape[:2])
    if size == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
