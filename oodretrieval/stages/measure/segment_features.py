"""Features of every segment: an ImageNet network sees the image once, a segment takes the mean over its pixels."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodretrieval.cluster import map_cluster
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.embedding import pool_by_segment
from oodretrieval.embedding.embed import full_float32
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.errors import ImageError, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.settings import RAY
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.imagenet_weights import LITE
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.folding import fold_batch_norms
from oodretrieval.stages.measure.image_sizes import as_seen
from oodretrieval.stores import (
    features_folder,
    features_path,
    lock_folder,
    read_features,
    write_features,
)

logger = logging.getLogger(__name__)
STRIDES = (8, 16)
"""Of the fine features, which say what looks alike, and of the deep ones, which distances are measured in."""
MAPS = (*STRIDES, STRIDES[-1])
"""Of all that one pass gives: fine features, those that windows are made of, deep ones."""
WAIT = 60.0
"""Seconds to wait for another process that writes features of the same network; it takes milliseconds."""
TOGETHER = 64
"""Images whose features are written at a time."""


class SegmentVectors(NamedTuple):
    """Features of segments, pooled over each; NaN where the image cannot be read.

    Attributes:
        fine: ``(n, d)``, at the finer stride.
        deep: ``(n, D)``, at the coarser one.
    """

    fine: NDArray[np.float32]
    deep: NDArray[np.float32]


class RegionMaps(NamedTuple):
    """Features of an image that regions are described by.

    Attributes:
        deep: Those that distances to known segments are measured in, ``(D, h, w)``.
        windows: Those before them at the same stride, for distances to known windows, ``(d, h, w)``: they say more of
            what a thing looks like, and less of what it is.
    """

    deep: NDArray[np.float32]
    windows: NDArray[np.float32]


class SegmentFeatures:
    """Computes, and keeps in the workspace, the features of all segments of a table.

    Args:
        backbone: Network that gives the features; one whose ImageNet weights come with the project.
        device: Where it runs.

    Raises:
        SettingsError: If the weights of the backbone do not come with the project.
    """

    def __init__(self, backbone: str, device: torch.device) -> None:
        if backbone not in LITE:
            raise SettingsError(f"features are of one of {', '.join(LITE)}, not of {backbone!r}")
        self.backbone, self.device = backbone, device
        self._network: Backbone | None = None
        self._keeps = self._tidy = True

    def of(
        self, work: StoredWork, table: pd.DataFrame, bar: progress | None = None
    ) -> tuple[SegmentVectors, dict[str, str]]:
        """The features of the segments of a table.

        Args:
            work: Of which network on which dataset; its images are read.
            table: Their segment table, or whole images of it.
            bar: Counts images where the table is one block of many, which are prepared together by :meth:`prepare`.

        Returns:
            Row i of row i of the table; and image id → reason of those that cannot be read.
        """
        counts = segments_of(table)
        digests = work.segments().digests
        if bar is None:
            self.prepare(work, [table])
            with progress(total=len(counts), desc=f"features {work.names.dataset}", unit="image") as own:
                found, failures = self.of_images(work, counts, digests, own)
        else:
            found, failures = self.of_images(work, counts, digests, bar)
        rows = {image: iter(vectors) for image, vectors in found.items()}
        vectors = np.stack([next(rows[str(image)]) for image in table["image_id"]])
        fine, deep = np.split(vectors, [self.network.channels[0]], axis=1)
        return SegmentVectors(fine, deep), failures

    def prepare(self, work: StoredWork, tables: Iterable[pd.DataFrame]) -> None:
        """Let a cluster compute, where ``args.engine`` says so, what is not kept yet; it is read from there.

        Args:
            work: Of which network on which dataset.
            tables: Segment tables; only ``image_id`` is read.
        """
        if work.common.engine != RAY:
            return
        counts = {image: n for table in tables for image, n in segments_of(table).items()}
        digests = work.segments().digests
        left = [i for i in counts if self._kept(work, i, counts[i], digests[i]) is None]
        blocks = [left[start : start + TOGETHER] for start in range(0, len(left), TOGETHER)]
        tasks = [{image: (counts[image], digests[image]) for image in block} for block in blocks]
        prepare = partial(FeatureBlocks, self.backbone, self.device.type, work.for_others())
        for _ in map_cluster(prepare, tasks, gpu=self.device.type == "cuda", desc="features", unit="block"):
            pass

    def of_images(
        self,
        work: StoredWork,
        counts: Mapping[str, int],
        digests: Mapping[str, str],
        bar: progress | None = None,
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
        """The features of images: those that are kept, and of others computed now and kept.

        Args:
            work: Of which network on which dataset.
            counts: Image id → number of its segments.
            digests: Image id → digest of its prediction.
            bar: Counts them.

        Returns:
            Image id → fine and deep ones, ``(n, d + D)``, NaN where the image cannot be read; and image id → reason of
            those.
        """
        failures: dict[str, str] = {}
        found: dict[str, NDArray[np.float32]] = {}
        fresh: dict[str, NDArray[np.float32]] = {}
        try:
            for image in counts:
                vectors: Any = self._kept(work, image, counts[image], digests[image])
                if vectors is None:
                    try:
                        vectors = self._pooled(work, image, counts[image])
                        fresh[image] = vectors
                    except (ImageError, StoreError) as error:
                        failures[image] = str(error)
                        channels = self.network.channels[0] + self.network.channels[-1]
                        vectors = np.full((counts[image], channels), np.nan, np.float32)
                found[image] = vectors.astype(np.float16).astype(np.float32)
                if bar is not None:
                    bar.update()
                if len(fresh) >= TOGETHER:
                    self._keep(work, fresh, digests)
                    fresh = {}
        finally:
            self._keep(work, fresh, digests)
        return found, failures

    def _kept(self, work: StoredWork, image: str, rows: int, digest: str) -> NDArray[np.floating] | None:
        path = features_path(work.workspace, work.names, self.backbone, image)
        return read_features(path, rows, self._made_by(digest))

    def _made_by(self, digest: str) -> dict[str, Any]:
        # the device, as it has a rounding of its own
        return {
            "prediction": digest,
            "backbone": self.backbone,
            "device": self.device.type,
            "strides": STRIDES,
        }

    def _keep(
        self, work: StoredWork, fresh: Mapping[str, NDArray[np.float32]], digests: Mapping[str, str]
    ) -> None:
        """Keep features for the next time; where that cannot be, they are only used."""
        if not fresh or not self._keeps:
            return
        try:
            folder = features_folder(work.workspace, work.names, self.backbone)
            with lock_folder(folder, timeout=WAIT, tidy=self._tidy):
                self._tidy = False  # once is enough, as that looks at every file
                for image, vectors in fresh.items():
                    path = features_path(work.workspace, work.names, self.backbone, image)
                    write_features(path, vectors, self._made_by(digests[image]))
        except StoreError as error:
            self._keeps = False
            logger.warning("features are computed again next time: %s", error)

    def _pooled(self, work: StoredWork, image_id: str, count: int) -> NDArray[np.float32]:
        image = work.sample(image_id).image
        prediction = work.prediction(image_id)
        seen = as_seen(image, prediction.settings)
        components = prediction.components()
        fine, *_, deep = self._maps(seen)
        pooled = np.concatenate([pool_by_segment(maps, components) for maps in (fine, deep)], axis=1)
        if len(pooled) != count:
            raise StoreError(
                f"the prediction of {image_id} has {len(pooled)} segments, its table {count}; run "
                "scripts/compute_metrics.py with args.overwrite=True"
            )
        return pooled

    @property
    def network(self) -> Backbone:
        """The network, built when it is first needed."""
        if self._network is None:
            network = fold_batch_norms(Backbone(self.backbone, MAPS, STRIDES[-1], "packaged").eval())
            self._network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._network

    def region_maps(self, image: NDArray[np.uint8]) -> RegionMaps:
        """The features of an image that regions are described by.

        Args:
            image: ``(H, W, 3)``, at the size at which the network shall see it.

        Returns:
            Deep ones and those of windows.
        """
        _, windows, deep = self._maps(image)
        return RegionMaps(deep, windows)

    @torch.inference_mode()
    def _maps(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Features of an image at each of :data:`MAPS`, each ``(D, h, w)``."""
        batch = image_tensor(image, LITE_MEAN, LITE_STD)[None].to(self.device)
        with full_float32():
            maps: list[Tensor] = self.network(batch.contiguous(memory_format=torch.channels_last))
        return [features[0].float().cpu().numpy() for features in maps]


def segments_of(table: pd.DataFrame) -> dict[str, int]:
    """Image id → number of its rows, in the order of the table.

    Args:
        table: Segment table.

    Returns:
        The numbers.

    Example:
        >>> segments_of(pd.DataFrame({"image_id": ["b", "b", "a"]}))
        {'b': 2, 'a': 1}
    """
    return {str(image): int(n) for image, n in table.groupby("image_id", sort=False).size().items()}


class FeatureBlocks:
    """Computes and keeps the features of blocks of images, in a worker of a cluster.

    Args:
        backbone: Network that gives the features.
        device: Kind of device that it runs on.
        work: Of which network on which dataset.
    """

    def __init__(self, backbone: str, device: str, work: StoredWork) -> None:
        work.run.configuration.find_classes()
        self.features, self.work = SegmentFeatures(backbone, torch.device(device)), work

    def __call__(self, block: Mapping[str, tuple[int, str]]) -> None:
        """Compute and keep.

        Args:
            block: Image id → number of its segments, digest of its prediction.
        """
        counts = {image: count for image, (count, _) in block.items()}
        self.features.of_images(self.work, counts, {image: digest for image, (_, digest) in block.items()})
