"""Stage 4: cut out what looks unknown, segments or objects, and embed it."""

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import OBJECTS, PUBLISHED
from oodretrieval.embedding import EmbeddingNetwork, embed_crops, embedding_network
from oodretrieval.errors import PartialFailure, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.select.catalogue_settings import catalogue_settings
from oodretrieval.stages.select.crops import Crops, MasksOf, among, segment_masks
from oodretrieval.stages.select.objects import Objects
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings, SelectionRule
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue, CatalogueWriter
from oodretrieval.stores.blocks import blocks
from oodretrieval.stores.catalogue import MANIFEST

logger = logging.getLogger(__name__)
JUDGED = ["dataset", "image_id", "segment_id", PREDICTED_IOU, SELECT_SCORE]
"""Columns of the table of all segments that lies beside the selected ones."""
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
        judged, selected, masks, failures = _select(settings, selector, works.values())
        writer.retain(lambda rows: among(rows, selected))
        for dataset, work in works.items():
            rows = selected[selected["dataset"] == dataset]
            crops = Crops(work.dataset, rows, masks[dataset], settings)
            failures |= _add(writer, dataset, crops, network, device)
        if writer.rows:
            writer.add_table(PREDICTED_IOU, judged)
            writer.commit()
    if failures:
        raise PartialFailure("compute_embeddings", failures)
    count = len(Catalogue.open(folder))
    logger.info("%d %s embedded with %s; catalogue %s", count, settings.candidates, settings.net, name)
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
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, MasksOf], dict[str, str]]:
    """Score the segments of the images asked for, and select candidates.

    Returns:
        All segments with their scores; the candidates selected; dataset → what knows their masks; image id → reason of
        those that failed.
    """
    judged, selected = [], []
    failures: dict[str, str] = {}
    masks: dict[str, MasksOf] = {}
    for work in works:
        table, failed = selector.score(work.table(), work)
        failures |= failed
        table.insert(0, "dataset", work.names.dataset)
        judged.append(table[[column for column in JUDGED if column in table.columns]])
        if settings.candidates == OBJECTS:
            chosen, masks[work.names.dataset], failed = _objects(settings, selector, work, table, failed)
            failures |= failed
        else:
            large = eligible(table, settings, getattr(work.dataset, "pred_class_selection", None))
            chosen = table[selector.select(table, large)]
            masks[work.names.dataset] = partial(segment_masks, work)
        selected.append(chosen)
    considered = pd.concat(judged, ignore_index=True)
    candidates = pd.concat(selected, ignore_index=True)
    if candidates.empty and not failures:
        raise StoreError(
            f"none of the {len(considered)} segments is selected ({settings.rule.words()}); {_remedy(settings.rule)} "
            "args.min_height, args.min_width, args.min_pixels" + _instead(settings.rule)
        )
    logger.info(
        "%d %s selected (%s); %d segments in %d images%s",
        len(candidates),
        settings.candidates,
        settings.rule.words(settings.candidates),
        len(considered),
        considered["image_id"].nunique(),
        _hint(candidates, settings.rule),
    )
    return considered, candidates, masks, failures


def _objects(
    settings: EmbedSettings,
    selector: Selector,
    work: StoredWork,
    table: pd.DataFrame,
    failed: dict[str, str],
) -> tuple[pd.DataFrame, MasksOf, dict[str, str]]:
    """Objects selected among the regions of the images whose segments could be scored."""
    images = [str(image) for image in table["image_id"].unique() if image not in failed]
    by = settings.rule.select_by
    objects = Objects(work, by, selector.novelty_file, selector.device, settings.objects)
    found, failures = objects.found(images)
    found.insert(0, "dataset", work.names.dataset)
    chosen = selector.select(found, eligible(found, settings), objects.threshold)
    return found[chosen], objects.masks, failures


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
    writer: CatalogueWriter, name: str, crops: Crops, network: EmbeddingNetwork, device: torch.device
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
