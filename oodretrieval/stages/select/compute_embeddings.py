"""Stage 4: cut out the segments that look unknown and embed them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import PUBLISHED
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import EmbeddingNetwork, embed_crops, embedding_network
from oodretrieval.errors import ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.execution import progress, return_freed_memory
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.segments import crop, enlarge_box
from oodretrieval.stages.select.catalogue_settings import catalogue_settings
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings, SelectionRule
from oodretrieval.stores import (
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    CatalogueWriter,
)
from oodretrieval.stores.blocks import blocks
from oodretrieval.stores.boxes import SIDES, segment_boxes, with_crop_boxes
from oodretrieval.stores.catalogue import MANIFEST

logger = logging.getLogger(__name__)
JUDGED = ["dataset", "image_id", "segment_id", PREDICTED_IOU, SELECT_SCORE]
"""Columns of the table of all segments that lies beside the selected ones."""
SAME = ["dataset", "image_id", "segment_id", "class", "S", *SIDES]
"""Columns in which a segment is the one that it was."""
MANY = 1000
"""As many segments are more than anybody inspects, and take minutes to embed."""


def compute_embeddings(settings: EmbedSettings, run: Run) -> dict[str, Any]:
    """Fill a catalogue: one row and one vector per selected segment of the images asked for.

    What it holds already stays where it is selected still, and goes where it is not.

    Args:
        settings: What to select and how to embed it.
        run: Configuration and workspace.

    Returns:
        ``catalogue``, its number of ``segments``, and how many there were to select from.

    Raises:
        StoreError: If a table is missing, no segment is selected, or ``limit`` would cut a finished catalogue.
        SettingsMismatchError: If the catalogue was made with other settings.
        PartialFailure: If some images could not be read; all others are done.
    """
    _require_datasets(settings)
    settings = run.with_meta_model(settings)
    network = embedding_network(settings.net)
    device = choose_device(settings.common.gpu)
    selector = Selector(settings.rule, device, run, settings.model_name, settings.meta_model_name)
    works = {name: run.stored(settings.model_name, name, settings.common) for name in settings.dataset}
    made_by = catalogue_settings(settings, run, works, selector.meta_model is not None)
    name = settings.save_file or "+".join(settings.dataset)
    folder = run.workspace.catalogue_folder(name)
    with CatalogueWriter(folder, made_by, overwrite=settings.common.overwrite) as writer:
        if settings.common.limit and not settings.common.overwrite:
            _refuse_to_cut(folder, works.values(), settings.common.limit)
        judged, selected, failures = _select(settings, selector, works.values())
        writer.retain(lambda rows: _among(rows, selected))
        for work in works.values():
            rows = selected[selected["dataset"] == work.names.dataset]
            failures |= _add(writer, work, rows, settings, network, device)
        if writer.rows:
            writer.add_table(PREDICTED_IOU, judged)
            writer.commit()
    if failures:
        raise PartialFailure("compute_embeddings", failures)
    count = len(Catalogue.open(folder))
    logger.info("%d segments embedded with %s; catalogue %s", count, settings.net, name)
    return {"catalogue": name, "segments": count, "considered": len(judged)}


def _require_datasets(settings: EmbedSettings) -> None:
    if not settings.dataset:
        raise SettingsError("args.dataset must name at least one dataset")
    if settings.common.root and len(settings.dataset) > 1:
        raise SettingsError(
            "args.root is the root of one dataset; set the roots of several in configuration.py"
        )


def _select(
    settings: EmbedSettings, selector: Selector, works: Iterable[StoredWork]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Score the segments of the images asked for, and select; what was scored, what is selected, what failed."""
    judged, selected = [], []
    failures: dict[str, str] = {}
    for work in works:
        table, failed = selector.score(work.table(), work)
        table.insert(0, "dataset", work.names.dataset)
        large = eligible(table, settings, getattr(work.dataset, "pred_class_selection", None))
        judged.append(table[[column for column in JUDGED if column in table.columns]])
        selected.append(table[selector.select(table, large)])
        failures |= failed
    considered = pd.concat(judged, ignore_index=True)
    chosen = pd.concat(selected, ignore_index=True)
    if chosen.empty and not failures:
        raise StoreError(
            f"none of the {len(considered)} segments is selected ({settings.rule.words()}); {_remedy(settings.rule)} "
            "args.min_height, args.min_width, args.min_pixels" + _instead(settings.rule)
        )
    logger.info(
        "%d of %d segments selected (%s)%s",
        len(chosen),
        len(considered),
        settings.rule.words(),
        _hint(chosen, settings.rule),
    )
    return considered, chosen, failures


def _refuse_to_cut(folder: Path, works: Iterable[StoredWork], limit: int) -> None:
    """Refuse to throw away, for a smaller ``args.limit``, what a finished catalogue holds.

    Raises:
        StoreError: If it holds images that are not asked for now.
    """
    if not (folder / MANIFEST).is_file():
        return
    catalogue = Catalogue.open(folder)
    there = catalogue.table(PREDICTED_IOU) if PREDICTED_IOU in catalogue.table_names else catalogue.segments
    for work in works:
        name, asked = work.names.dataset, set(work.dataset.ids)
        images = set(there.loc[there["dataset"] == name, "image_id"])
        if not images <= asked:
            raise StoreError(
                f"catalogue {catalogue.name!r} was made of {len(images)} images of {name!r}, of which "
                f"args.limit={limit} would leave {len(images & asked)}; leave args.limit out, choose "
                "another args.save_file, or add args.overwrite=True"
            )


def _among(rows: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are segments that ``others`` holds too, ``(n,)``."""
    if rows.empty or others.empty:
        return np.zeros(len(rows), np.bool_)
    found = pd.MultiIndex.from_frame(rows[SAME]).isin(pd.MultiIndex.from_frame(others[SAME]))
    return np.asarray(found, np.bool_)


def _hint(selected: pd.DataFrame, rule: SelectionRule) -> str:
    if rule.select_number or len(selected) <= MANY:
        return ""
    return "; args.select_number=100 args.save_file=first takes the 100 highest alone"


def _instead(rule: SelectionRule) -> str:
    return "" if rule.select_number else "; or take the 100 highest by args.select_number=100"


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
    work: StoredWork,
    selected: pd.DataFrame,
    settings: EmbedSettings,
    network: EmbeddingNetwork,
    device: torch.device,
) -> dict[str, str]:
    """Embed those selected segments of a dataset that are not in yet, block by block; returns what failed."""
    name, dataset = work.names.dataset, work.dataset
    failures: dict[str, str] = {}
    selected = selected[~_among(selected, writer.segments)]
    by_image = {str(image): rows for image, rows in selected.groupby("image_id", sort=False)}
    with progress(total=len(selected), desc=f"embedding {name}", unit="segment") as bar:
        for _, indices in blocks(len(dataset)):
            images = [i for i in indices if dataset.ids[i] in by_image]
            if images:
                reader = _Crops(dataset, by_image, settings)
                vectors = embed_crops(
                    network,
                    reader.read(images, bar),
                    device=device,
                    batch_size=settings.batch_size,
                    size=settings.crop_size or None,
                )
                failures |= reader.failures
                if reader.rows:
                    rows = pd.concat(reader.rows, ignore_index=True)
                    writer.add_part(rows, vectors, settings.net, (name, tuple(rows["image_id"].unique())))
    return failures


class _Crops:
    """Reads images, yields the crops of their segments, and collects rows in the same order."""

    def __init__(
        self, dataset: SegmentationDataset, by_image: Mapping[str, pd.DataFrame], settings: EmbedSettings
    ) -> None:
        self.dataset, self.by_image, self.settings = dataset, by_image, settings
        self.rows: list[pd.DataFrame] = []
        self.failures: dict[str, str] = {}

    def read(self, indices: list[int], bar: progress) -> Iterator[NDArray[np.uint8]]:
        for index in indices:
            return_freed_memory()
            image_id = self.dataset.ids[index]
            try:
                sample = self.dataset[index]
            except ImageError as error:
                self.failures[image_id] = str(error)
                bar.update(len(self.by_image[image_id]))
                continue
            rows = self.by_image[image_id].assign(image_path=sample.path)
            height, width = sample.image.shape[:2]
            smallest = self.settings.min_crop_height, self.settings.min_crop_width
            boxes = [enlarge_box(box, *smallest, height, width) for box in segment_boxes(rows)]
            self.rows.append(with_crop_boxes(rows, boxes))
            for box in boxes:
                yield crop(sample.image, box)
                bar.update()
