"""Stage 4: cut out what looks unknown, segments or objects, and embed it."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import OBJECTS, PUBLISHED
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import EmbeddingNetwork, embed_crops, embedding_network
from oodretrieval.errors import ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.execution import progress, return_freed_memory
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stages.select.catalogue_settings import catalogue_settings
from oodretrieval.stages.select.objects import Objects
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings, SelectionRule
from oodretrieval.stores import (
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    CatalogueWriter,
    stored_prediction,
)
from oodretrieval.stores.blocks import blocks
from oodretrieval.stores.catalogue import MANIFEST

logger = logging.getLogger(__name__)
MasksOf = Callable[[str, Sequence[int]], Sequence[RunLengthMask | None]]
"""Image id and candidates' numbers → their masks."""
JUDGED = ["dataset", "image_id", "segment_id", PREDICTED_IOU, SELECT_SCORE]
"""Columns of the table of all segments that lies beside the selected ones."""
SAME = ["dataset", "image_id", "segment_id", "class", "S", *Box._fields]
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
    if not settings.dataset:
        raise SettingsError("args.dataset must name at least one dataset")
    if settings.common.root and len(settings.dataset) > 1:
        raise SettingsError(
            "args.root is the root of one dataset; set the roots of several in configuration.py"
        )
    settings = run.with_meta_model(settings)
    network = embedding_network(settings.net)
    device = choose_device(settings.common.gpu)
    selector = Selector(settings.rule, device, run, settings.model_name, settings.meta_model_name)
    datasets = {name: run.dataset(name, settings.common) for name in settings.dataset}
    with_meta_model = selector.meta_model is not None
    made_by = catalogue_settings(settings, run, datasets, with_meta_model)
    name = settings.save_file or "+".join(settings.dataset)
    folder = run.workspace.catalogue_folder(name)
    with CatalogueWriter(folder, made_by, overwrite=settings.common.overwrite) as writer:
        if settings.common.limit and not settings.common.overwrite:
            _refuse_to_cut(folder, datasets, settings.common.limit)
        judged, selected, masks, failures = _select(settings, run, selector, datasets)
        logger.info(
            "%d %s selected (%s); %d segments in %d images%s",
            len(selected),
            settings.candidates,
            settings.rule.words(settings.candidates),
            len(judged),
            judged["image_id"].nunique(),
            _hint(selected, settings.rule),
        )
        writer.retain(lambda rows: _among(rows, selected))
        for dataset_name, dataset in datasets.items():
            rows = selected[selected["dataset"] == dataset_name]
            crops = _Crops(dataset, rows, masks[dataset_name], settings)
            failures |= _add(writer, dataset_name, crops, network, device)
        if writer.rows:
            writer.add_table(PREDICTED_IOU, judged)
            writer.commit()
    if failures:
        raise PartialFailure("compute_embeddings", failures)
    count = len(Catalogue.open(folder))
    logger.info("%d %s embedded with %s; catalogue %s", count, settings.candidates, settings.net, name)
    return {"catalogue": name, "segments": count, "considered": len(judged)}


def _select(
    settings: EmbedSettings,
    run: Run,
    selector: Selector,
    datasets: Mapping[str, SegmentationDataset],
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, MasksOf], dict[str, str]]:
    """Score the segments of the images asked for, and select candidates.

    Returns:
        All segments with their scores; the candidates selected; dataset → what knows their masks; image id → reason of
        those that failed.
    """
    judged, selected = [], []
    failures: dict[str, str] = {}
    masks: dict[str, MasksOf] = {}
    for name, dataset in datasets.items():
        work = run.stored(settings.model_name, name, settings.common)
        table, failed = selector.score(work.table(), work)
        table.insert(0, "dataset", name)
        judged.append(table[[column for column in JUDGED if column in table.columns]])
        failures |= failed
        if settings.candidates == OBJECTS:
            images = [str(image) for image in table["image_id"].unique() if image not in failed]
            objects = Objects(
                work, settings.rule.select_by, selector.novelty_file, selector.device, settings.objects
            )
            found, failed = objects.found(images)
            found.insert(0, "dataset", name)
            chosen = selector.select(found, eligible(found, settings), objects.threshold)
            selected.append(found[chosen])
            masks[name] = objects.masks
            failures |= failed
        else:
            large = eligible(table, settings, getattr(dataset, "pred_class_selection", None))
            selected.append(table[selector.select(table, large)])
            masks[name] = partial(segment_masks, work)
    considered = pd.concat(judged, ignore_index=True)
    chosen_rows = pd.concat(selected, ignore_index=True)
    if chosen_rows.empty and not failures:
        raise StoreError(
            f"none of the {len(considered)} segments is selected ({settings.rule.words()}); {_remedy(settings.rule)} "
            "args.min_height, args.min_width, args.min_pixels" + _instead(settings.rule)
        )
    return considered, chosen_rows, masks, failures


def segment_masks(work: StoredWork, image_id: str, segment_ids: Sequence[int]) -> list[RunLengthMask | None]:
    """The masks of predicted segments of an image; None where the prediction has gone.

    Args:
        work: Of which network on which dataset.
        image_id: Id of the image.
        segment_ids: Of the segments.
    """
    if not work.workspace.prediction_path(work.names, image_id).is_file():
        return [None] * len(segment_ids)
    components = stored_prediction(work.workspace, work.names, image_id).components()
    return [encode_mask(components == number) for number in segment_ids]


def _refuse_to_cut(folder: Path, datasets: Mapping[str, SegmentationDataset], limit: int) -> None:
    """Refuse to throw away, for a smaller ``args.limit``, what a finished catalogue holds.

    Raises:
        StoreError: If it holds images that are not asked for now.
    """
    if not (folder / MANIFEST).is_file():
        return
    catalogue = Catalogue.open(folder)
    there = catalogue.table(PREDICTED_IOU) if PREDICTED_IOU in catalogue.table_names else catalogue.segments
    for name, dataset in datasets.items():
        images = set(there.loc[there["dataset"] == name, "image_id"])
        if not images <= set(dataset.ids):
            raise StoreError(
                f"catalogue {catalogue.name!r} was made of {len(images)} images of {name!r}, of which "
                f"args.limit={limit} would leave {len(images & set(dataset.ids))}; leave args.limit out, choose "
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
    writer: CatalogueWriter, name: str, crops: "_Crops", network: EmbeddingNetwork, device: torch.device
) -> dict[str, str]:
    """Embed those selected candidates of a dataset that are not in yet, block by block; returns what failed."""
    settings, dataset = crops.settings, crops.dataset
    crops.leave_out(writer.segments)
    failures: dict[str, str] = {}
    with progress(
        total=crops.left, desc=f"embedding {name}", unit=settings.candidates.removesuffix("s")
    ) as bar:
        for _, indices in blocks(len(dataset)):
            images = [i for i in indices if dataset.ids[i] in crops.by_image]
            if images:
                vectors = embed_crops(
                    network,
                    crops.read(images, bar),
                    device=device,
                    batch_size=settings.batch_size,
                    size=settings.crop_size or None,
                )
                rows, masks, failed = crops.take()
                failures |= failed
                if len(rows):
                    done = name, tuple(rows["image_id"].unique())
                    writer.add_part(rows, vectors, settings.net, done, masks)
    return failures


class _Crops:
    """Reads images, yields the crops of their candidates, and collects rows and masks in the same order."""

    def __init__(
        self, dataset: SegmentationDataset, selected: pd.DataFrame, masks_of: MasksOf, settings: EmbedSettings
    ) -> None:
        self.dataset, self.settings = dataset, settings
        self._selected, self._masks_of = selected, masks_of
        self.by_image: dict[str, pd.DataFrame] = {}
        self.leave_out(selected.iloc[:0])
        self._clear()

    def _clear(self) -> None:
        self._rows: list[pd.DataFrame] = []
        self._masks: list[RunLengthMask | None] = []
        self._failures: dict[str, str] = {}

    def leave_out(self, rows: pd.DataFrame) -> None:
        """Read only what is not among these rows."""
        self._selected = self._selected[~_among(self._selected, rows)]
        self.by_image = {str(image): rows for image, rows in self._selected.groupby("image_id", sort=False)}

    @property
    def left(self) -> int:
        """Candidates to read."""
        return len(self._selected)

    def read(self, indices: list[int], bar: progress) -> Iterator[NDArray[np.uint8]]:
        for index in indices:
            return_freed_memory()
            image_id = self.dataset.ids[index]
            rows = self.by_image[image_id].copy()
            try:
                sample = self.dataset[index]
                masks = self._masks_of(image_id, rows["segment_id"].tolist())
            except (ImageError, StoreError) as error:
                self._failures[image_id] = str(error)
                bar.update(len(rows))
                continue
            height, width = sample.image.shape[:2]
            smallest = self.settings.min_crop_height, self.settings.min_crop_width
            boxes = [enlarge_box(box, *smallest, height, width) for box in segment_boxes_of(rows)]
            rows["image_path"] = sample.path
            for side in Box._fields:
                rows[f"crop_{side}"] = [getattr(box, side) for box in boxes]
            self._rows.append(rows)
            self._masks += masks
            for box in boxes:
                yield crop(sample.image, box)
                bar.update()

    def take(self) -> tuple[pd.DataFrame, list[RunLengthMask | None], dict[str, str]]:
        """What was read since the last time: rows, their masks, and image id → reason of what failed."""
        rows = pd.concat(self._rows, ignore_index=True) if self._rows else pd.DataFrame()
        taken = rows, self._masks, self._failures
        self._clear()
        return taken


def segment_boxes_of(table: pd.DataFrame) -> list[Box]:
    """The boxes of the segments, row by row."""
    return [Box(*row) for row in table[list(Box._fields)].to_numpy(int).tolist()]


def crop_boxes(table: pd.DataFrame) -> list[Box]:
    """The boxes of the crops that were embedded, row by row of a catalogue."""
    return [Box(*row) for row in table[[f"crop_{side}" for side in Box._fields]].to_numpy(int).tolist()]
