"""Stage 4: cut out the segments that look unknown and embed them."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import EmbeddingNetwork, embed_crops, embedding_network
from oodretrieval.errors import ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.inputs import (
    blocks,
    dataset_in_use,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored import segments_in_use
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stages.select.catalogue_settings import catalogue_settings
from oodretrieval.stages.select.embed_settings import EmbedSettings
from oodretrieval.stages.select.selecting import (
    PUBLISHED,
    SelectionRule,
    Selector,
)
from oodretrieval.stores import (
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    CatalogueWriter,
)

logger = logging.getLogger(__name__)
MANY = 1000
"""So many segments are more than anybody looks at, and take minutes to embed."""


def compute_embeddings(settings: EmbedSettings, run: Run) -> dict[str, Any]:
    """Fill a catalogue: one row and one vector per selected segment.

    Args:
        settings: What to select and how to embed it.
        run: Configuration and workspace.

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
    settings = run.with_meta_model(settings)
    network = embedding_network(settings.net)
    device = choose_device(settings.gpu)
    selector = Selector(settings, device, run, settings.model_name, settings.meta_model_name)
    datasets = {name: dataset_in_use(settings, run.configuration, name) for name in settings.dataset}
    made_by = catalogue_settings(settings, run, datasets)
    name = settings.save_file or "+".join(settings.dataset)
    failures: dict[str, str] = {}
    judged = []
    with CatalogueWriter(
        run.workspace.catalogue_folder(name), made_by, overwrite=settings.overwrite
    ) as writer:
        for dataset_name, dataset in datasets.items():
            names = settings.model_name, dataset_name
            table = segments_in_use(settings, run, names)
            table, failed = selector.score(table, dataset_name, dataset)
            table.insert(0, "dataset", dataset_name)
            judged.append(table[["dataset", "image_id", "segment_id", "predicted_iou", SELECT_SCORE]])
            large = eligible(table, settings, getattr(dataset, "pred_class_selection", None))
            selected = table[selector.select(table, large)]
            if len(selected) >= MANY and not settings.select_number:
                logger.info(
                    "%d segments of %s are selected; args.select_number=100 takes the 100 highest",
                    len(selected),
                    dataset_name,
                )
            failures |= failed | _add(writer, dataset_name, dataset, selected, settings, network, device)
        considered = sum(map(len, judged))
        if not writer.done:
            raise StoreError(
                f"none of the {considered} segments is selected ({settings.words()}); {_remedy(settings)} "
                "args.min_height, args.min_width, args.min_pixels"
            )
        writer.add_table(PREDICTED_IOU, pd.concat(judged, ignore_index=True))
        writer.commit()
    if failures:
        raise PartialFailure("compute_embeddings", failures)
    count = len(Catalogue.open(run.workspace.catalogue_folder(name)))
    logger.info(
        "%d of %d segments selected (%s) and embedded; catalogue %s",
        count,
        considered,
        settings.words(),
        name,
    )
    return {"catalogue": name, "segments": count, "considered": considered}


def _remedy(rule: SelectionRule) -> str:
    if rule.select_number:
        return "lower"
    change = "raise args.iou_threshold" if rule.select_by == PUBLISHED else "lower args.select_quantile"
    return f"{change}, or lower"


def eligible(
    table: pd.DataFrame, settings: EmbedSettings, classes: list[int] | None = None
) -> NDArray[np.bool_]:
    """Which segments may be selected: large enough, of a class worth looking at.

    Args:
        table: Segment table, ``n`` rows.
        settings: Thresholds.
        classes: Predicted ids worth looking at; None for all.

    Returns:
        ``(n,)``.
    """
    chosen = (
        (table["bottom"] - table["top"] >= settings.min_height)
        & (table["right"] - table["left"] >= settings.min_width)
        & (table["S"] >= settings.min_pixels)
    )
    if classes is not None:
        chosen &= table["class"].isin(classes)
    return chosen.to_numpy(bool)


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
    with progress(total=len(selected), desc=f"embedding {name}", unit="segment") as bar:
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
