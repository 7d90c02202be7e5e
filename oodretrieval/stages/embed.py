"""Stage 4: cut out the segments of low predicted IoU and embed them."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import EmbeddingNetwork, embed_crops, embedding_network
from oodretrieval.errors import ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.labels import ClassMapping
from oodretrieval.models import weights_hash
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inference import predicted_classes
from oodretrieval.stages.inputs import (
    blocks,
    dataset_in_use,
    meta_model_path,
    open_meta_model,
    segments_in_use,
)
from oodretrieval.stages.settings import CommonSettings, require_at_least
from oodretrieval.stores import (
    PREDICTED_IOU,
    Catalogue,
    CatalogueWriter,
    Workspace,
    read_segment_settings,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedSettings(CommonSettings):
    """Which segments are selected, how they are cut out, and what embeds them.

    Attributes:
        dataset: Name of the dataset, or several as a list.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        net: Embedding network.
        iou_threshold: Segments of a predicted IoU below this are selected.
        min_height: Smallest height of a segment's box, pixels.
        min_width: Smallest width of a segment's box, pixels.
        min_pixels: Fewest pixels of a segment.
        min_crop_height: Crops are enlarged to this height, pixels.
        min_crop_width: Crops are enlarged to this width, pixels.
        crop_size: Side that all crops are resized to before they are embedded; 0 embeds at native size.
        batch_size: Crops a batch.
        load_file: Name of a catalogue whose segments are embedded again, with ``net``, instead of selecting.
        save_file: Name of the catalogue; by default that of the dataset or of ``load_file``.
    """

    dataset: tuple[str, ...] = ()
    model_name: str = ""
    meta_model_name: str = ""
    net: str = "efficientnet_lite0"
    iou_threshold: float = 0.5
    min_height: int = 16
    min_width: int = 16
    min_pixels: int = 0
    min_crop_height: int = 64
    min_crop_width: int = 64
    crop_size: int = 0
    batch_size: int = 32
    load_file: str = ""
    save_file: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 1, "batch_size")
        require_at_least(self, 0, "min_height", "min_width", "min_pixels", "crop_size")
        require_at_least(self, 1, "min_crop_height", "min_crop_width")


def compute_embeddings(
    settings: EmbedSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Fill a catalogue: one row and one vector per selected segment.

    Args:
        settings: What to select and how to embed it.
        configuration: Where names are looked up.
        workspace: Where segment tables are read and the catalogue is written.

    Returns:
        ``catalogue``, its number of ``segments``, and how many there were to select from.

    Raises:
        StoreError: If a table is missing, or no segment is selected.
        SettingsMismatchError: If the catalogue was made with other settings.
        PartialFailure: If some images could not be read; all others are done.
    """
    if not settings.dataset:
        raise SettingsError("args.dataset must name at least one dataset")
    if settings.root and len(settings.dataset) > 1:
        raise SettingsError(
            "args.root is the root of one dataset; set the roots of several in configuration.py"
        )
    network = embedding_network(settings.net)
    device = choose_device(settings.gpu)
    model = open_meta_model(configuration, settings.meta_model_name, workspace, settings.model_name)
    datasets = {name: dataset_in_use(settings, configuration, name) for name in settings.dataset}
    made_by = _made_by(settings, configuration, workspace, datasets)
    name = settings.save_file or "+".join(settings.dataset)
    failures: dict[str, str] = {}
    judged = []
    with CatalogueWriter(workspace.catalogue_folder(name), made_by, overwrite=settings.overwrite) as writer:
        for dataset_name, dataset in datasets.items():
            names = settings.model_name, dataset_name
            table = segments_in_use(settings, configuration, workspace, names)
            table["predicted_iou"] = model.predict(table)
            table.insert(0, "dataset", dataset_name)
            judged.append(table[["dataset", "image_id", "segment_id", "predicted_iou"]])
            selected = table[selection(table, settings, getattr(dataset, "pred_class_selection", None))]
            failures |= _add(writer, dataset_name, dataset, selected, settings, network, device)
        considered = sum(map(len, judged))
        if not writer.done:
            raise StoreError(
                f"none of the {considered} segments is selected; raise args.iou_threshold "
                f"(now {settings.iou_threshold}) or lower args.min_height, args.min_width, args.min_pixels"
            )
        writer.add_table(PREDICTED_IOU, pd.concat(judged, ignore_index=True))
        writer.commit()
    if failures:
        raise PartialFailure("compute_embeddings", failures)
    count = len(Catalogue.open(workspace.catalogue_folder(name)))
    logger.info("%d of %d segments selected and embedded; catalogue %s", count, considered, name)
    return {"catalogue": name, "segments": count, "considered": considered}


def selection(
    table: pd.DataFrame, settings: EmbedSettings, classes: list[int] | None = None
) -> NDArray[np.bool_]:
    """Which segments are selected: low predicted IoU, large enough, of a class worth looking at.

    Args:
        table: Segment table with ``predicted_iou``, ``n`` rows.
        settings: Thresholds.
        classes: Predicted ids worth looking at; None for all.

    Returns:
        ``(n,)``.
    """
    chosen = (
        (table["predicted_iou"] < settings.iou_threshold)
        & (table["bottom"] - table["top"] >= settings.min_height)
        & (table["right"] - table["left"] >= settings.min_width)
        & (table["S"] >= settings.min_pixels)
    )
    if classes is not None:
        chosen &= table["class"].isin(classes)
    return chosen.to_numpy(bool)


def _made_by(
    settings: EmbedSettings,
    configuration: Configuration,
    workspace: Workspace,
    datasets: Mapping[str, SegmentationDataset],
) -> dict[str, Any]:
    """What made a catalogue, and the tables that its readers need."""
    first = next(iter(datasets.values()))
    entry = configuration.model(settings.model_name)
    thresholds = ("iou_threshold", "min_height", "min_width", "min_pixels")
    crops = ("min_crop_height", "min_crop_width", "crop_size")
    return {
        "model": settings.model_name,
        "meta_model": settings.meta_model_name,
        "meta_model_hash": weights_hash(meta_model_path(configuration, settings.meta_model_name, workspace)),
        "datasets": list(datasets),
        "segments": {n: read_segment_settings(workspace, settings.model_name, n) for n in datasets},
        **{name: getattr(settings, name) for name in (*thresholds, *crops)},
        "net": settings.net,
        "pred_mapping": _listed(predicted_classes(entry, first, 0)),
        "label_mapping": {
            name: _listed(dataset.label_set.label_mapping) if dataset.label_set else {}
            for name, dataset in datasets.items()
        },
        "void_ids": {n: sorted(d.label_set.void_ids) if d.label_set else [] for n, d in datasets.items()},
        "unknown_ids": {
            n: sorted(d.label_set.unknown_ids) if d.label_set else [] for n, d in datasets.items()
        },
    }


def _listed(mapping: ClassMapping) -> dict[str, list[Any]]:
    return {str(key): [name, list(colour)] for key, (name, colour) in sorted(mapping.items())}


def _add(
    writer: CatalogueWriter,
    name: str,
    dataset: SegmentationDataset,
    selected: pd.DataFrame,
    settings: EmbedSettings,
    network: EmbeddingNetwork,
    device: torch.device,
) -> dict[str, str]:
    """Embed the selected segments of a dataset, block by block; returns the images that failed."""
    failures: dict[str, str] = {}
    done = {image for dataset_name, images in writer.done if dataset_name == name for image in images}
    by_image = {str(image): rows for image, rows in selected.groupby("image_id", sort=False)}
    with tqdm(total=len(selected), desc=f"embedding {name}", unit="segment", disable=None) as bar:
        for _, indices in blocks(len(dataset)):
            images = [i for i in indices if dataset.ids[i] in by_image and dataset.ids[i] not in done]
            if images:
                reader = _Crops(dataset, by_image, settings)
                vectors = embed_crops(
                    network,
                    reader.read(images),
                    device=device,
                    batch_size=settings.batch_size,
                    size=settings.crop_size or None,
                )
                failures |= reader.failures
                if reader.rows:
                    rows = pd.concat(reader.rows, ignore_index=True)
                    writer.add_part(rows, vectors, settings.net, (name, tuple(rows["image_id"].unique())))
            bar.update(sum(len(by_image[dataset.ids[i]]) for i in indices if dataset.ids[i] in by_image))
    return failures


class _Crops:
    """Reads images, yields the crops of their segments, and collects rows in the same order."""

    def __init__(
        self, dataset: SegmentationDataset, by_image: Mapping[str, pd.DataFrame], settings: EmbedSettings
    ) -> None:
        self.dataset, self.by_image, self.settings = dataset, by_image, settings
        self.rows: list[pd.DataFrame] = []
        self.failures: dict[str, str] = {}

    def read(self, indices: list[int]) -> Iterator[NDArray[np.uint8]]:
        for index in indices:
            image_id = self.dataset.ids[index]
            try:
                sample = self.dataset[index]
            except ImageError as error:
                self.failures[image_id] = str(error)
                continue
            rows = self.by_image[image_id].copy()
            height, width = sample.image.shape[:2]
            smallest = self.settings.min_crop_height, self.settings.min_crop_width
            boxes = [enlarge_box(box, *smallest, height, width) for box in segment_boxes_of(rows)]
            rows["image_path"] = sample.path
            for side in Box._fields:
                rows[f"crop_{side}"] = [getattr(box, side) for box in boxes]
            self.rows.append(rows)
            for box in boxes:
                yield crop(sample.image, box)


def segment_boxes_of(table: pd.DataFrame) -> list[Box]:
    """The boxes of the segments, row by row."""
    return [Box(*row) for row in table[list(Box._fields)].to_numpy(int).tolist()]


def crop_boxes(table: pd.DataFrame) -> list[Box]:
    """The boxes of the crops that were embedded, row by row of a catalogue."""
    return [Box(*row) for row in table[[f"crop_{side}" for side in Box._fields]].to_numpy(int).tolist()]
