"""Stage 4: cut out what looks unknown, segments or objects, and embed it."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import OBJECTS, OBJECTS_AN_IMAGE, PUBLISHED
from oodretrieval.embedding import embedding_name
from oodretrieval.errors import AllFailedError, SettingsError, StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import RAY
from oodretrieval.experiment.stage_failures import StageFailures
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.select.catalogue_settings import catalogue_settings
from oodretrieval.stages.select.crops import OF_IMAGE, Crops, MasksOf, among, segment_masks, with_values
from oodretrieval.stages.select.embed_again import embed_again
from oodretrieval.stages.select.embedded_blocks import CandidateBlock, embedded_block
from oodretrieval.stages.select.embedder import Embedder
from oodretrieval.stages.select.objects import Objects, region_masks
from oodretrieval.stages.select.on_cluster import embed_on_cluster
from oodretrieval.stages.select.scored_segments import ELIGIBLE, ScoredSegments, tables_of
from oodretrieval.stages.select.selecting import Selector, highest
from oodretrieval.stages.select.settings import EmbedSettings, SelectionRule
from oodretrieval.stores import OWN_SCORE, PREDICTED_IOU, SELECT_SCORE, Catalogue, CatalogueWriter
from oodretrieval.stores.blocks import blocks
from oodretrieval.stores.catalogue import MANIFEST
from oodretrieval.stores.stored import catalogue_name

logger = logging.getLogger(__name__)
MANY = 1000
"""As many segments are more than anybody inspects, and take minutes to embed."""


def compute_embeddings(settings: EmbedSettings, run: Run) -> dict[str, Any]:
    """Fill a catalogue: one row and one vector per selected segment of the images asked for.

    What it holds already stays where it is selected still, and goes where it is not. With ``load_file`` the segments
    of that catalogue are embedded again: :func:`~oodretrieval.stages.select.embed_again.embed_again`.

    Args:
        settings: What to select and how to embed it.
        run: Configuration and workspace.

    Returns:
        ``catalogue``, its number of ``segments``, and how many there were to select from; or as of ``embed_again``.

    Raises:
        SettingsError: If no dataset is named, or a root for several.
        StoreError: If a table is missing, no segment is selected, or ``limit`` would cut a finished catalogue.
        SettingsMismatchError: If the catalogue was made with other settings.
        PartialFailure: If some images could not be read; all others are done.
        AllFailedError: If not one could be read.
    """
    if settings.load_file:
        return embed_again(settings, run)
    _require_datasets(settings)
    settings = run.with_meta_model(settings)
    embedder = Embedder(settings, run, settings.model_name)
    selector = Selector(settings.rule, embedder.device, run, settings.model_name, settings.meta_model_name)
    works = {name: run.stored(settings.model_name, name, settings.common) for name in settings.dataset}
    made_by = catalogue_settings(settings, run, works, selector)
    name = catalogue_name(settings.save_file, settings.dataset)
    folder = run.workspace.catalogue_folder(name)
    # What cannot be read is tried again each time: it is found at once, and what is selected depends on all that can.
    all_again = replace(settings.common, retry_failed=True)
    with (
        embedder,
        CatalogueWriter(folder, made_by, overwrite=settings.common.overwrite) as writer,
        StageFailures("compute_embeddings", folder, {}, all_again) as failing,
    ):
        for dataset, work in works.items():
            failing.skipped(dataset, work.dataset, work.dataset.ids)
        if settings.common.limit and not settings.common.overwrite:
            _refuse_to_cut(folder, works.values(), settings.common.limit)
        selection = _select(settings, selector, works.values(), failing)
        selected = selection.candidates
        # what stays keeps its vectors; its novelty may be another one among more segments
        unread = pd.DataFrame(sorted(failing.failed), columns=OF_IMAGE)
        if len(unread) and writer.rows:
            logger.warning("candidates of %d image(s) that cannot be read now stay as they were", len(unread))
        writer.retain(
            lambda rows: among(rows, selected) | among(rows, unread, OF_IMAGE),
            lambda rows: with_values(rows, selected, (SELECT_SCORE, OWN_SCORE, PREDICTED_IOU)),
        )
        for dataset, work in works.items():
            rows = selected[selected["dataset"] == dataset]
            masks_of = selection.masks[dataset]
            crops = Crops(work.dataset, rows, masks_of, settings)
            failing.add(dataset, _add(writer, run, work, crops, masks_of, embedder))
        count = sum(writer.rows)
        if count:
            writer.add_table(PREDICTED_IOU, tables_of(selection.segments))
            writer.commit()
            net = embedding_name(settings.net, settings.embedded, mixed=settings.mixed_precision)
            logger.info("%d %s embedded with %s; catalogue %s", count, settings.candidates, net, name)
    return {"catalogue": name, "segments": count, "considered": selection.considered}


def _require_datasets(settings: EmbedSettings) -> None:
    if not settings.dataset:
        raise SettingsError("args.dataset must name at least one dataset")
    settings.common.require_one_root(settings.dataset)


@dataclass(frozen=True, eq=False)
class _Selection:
    """What is selected.

    Attributes:
        segments: Scores of all segments of the images, a dataset each.
        considered: How many candidates there were to select from.
        candidates: Those selected.
        masks: Dataset → what knows the masks of its candidates.
    """

    segments: Sequence[ScoredSegments]
    considered: int
    candidates: pd.DataFrame
    masks: Mapping[str, MasksOf]


def _select(
    settings: EmbedSettings, selector: Selector, works: Iterable[StoredWork], failing: StageFailures
) -> _Selection:
    """Score the segments of the images asked for, and select candidates; images that fail are noted."""
    segments: list[ScoredSegments] = []
    selected = []
    considered = 0
    failures: dict[str, str] = {}
    masks: dict[str, MasksOf] = {}
    for work in works:
        name, classes = work.names.dataset, getattr(work.dataset, "pred_class_selection", None)
        scored = ScoredSegments.of(selector, work, partial(eligible, settings=settings, classes=classes))
        segments.append(scored)
        failing.add(name, scored.failures)
        failures |= scored.failures
        if settings.candidates == OBJECTS:
            found, chosen, masks[name] = _objects(settings, selector, scored, failing)
            considered += found
        else:
            chosen = scored.candidates(selector.select(scored.rows, scored.rows[ELIGIBLE].to_numpy()))
            considered += len(scored.rows)
            masks[name] = partial(segment_masks, work.for_others())
        selected.append(chosen)
    candidates = pd.concat(selected, ignore_index=True)
    if candidates.empty and failures and all(len(s.failures) == len(s.images) for s in segments):
        raise segments[0].work.all_failed("compute_embeddings", failures)
    if candidates.empty:
        raise StoreError(
            f"none of the {considered} {settings.candidates} is selected "
            f"({settings.rule.words(settings.candidates)}); {_remedy(settings.rule)} args.min_height, "
            "args.min_width, args.min_pixels" + _instead(settings.rule)
        )
    logger.info(
        "%d of %d %s selected (%s)%s",
        len(candidates),
        considered,
        settings.candidates,
        settings.rule.words(settings.candidates),
        _hint(candidates, settings.rule),
    )
    return _Selection(segments, considered, candidates, masks)


def _objects(
    settings: EmbedSettings, selector: Selector, scored: ScoredSegments, failing: StageFailures
) -> tuple[int, pd.DataFrame, MasksOf]:
    """Objects of the images whose segments could be scored: how many, those selected, and their masks."""
    work, by = scored.work, settings.rule.select_by
    images = [image for image in scored.images if image not in scored.failures]
    if scored.failures and not images:
        raise work.all_failed("compute_embeddings", scored.failures)
    objects = Objects(work, by, selector.novelty_file, selector.device, settings.objects)
    try:
        found, failures = objects.found(images)
    except AllFailedError as error:
        failing.add(work.names.dataset, error.failures)
        raise
    failing.add(work.names.dataset, failures)
    found.insert(0, "dataset", work.names.dataset)
    allowed = eligible(found, settings)
    if settings.rule.select_number:
        chosen = selector.select(found, allowed)
    else:  # a quantile is one of all regions, which do not share their scores; who comes first is another question
        above = selector.select(found.assign(**{SELECT_SCORE: found[OWN_SCORE]}), allowed, objects.threshold)
        most = OBJECTS_AN_IMAGE * found["image_id"].nunique()
        chosen = highest(found[SELECT_SCORE].to_numpy(), above, most)
    masks_of = partial(region_masks, work.for_others(), settings.objects.proposals)
    return len(found), found[chosen], masks_of


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
    """Which segments may be selected: large enough, of a class worth inspecting.

    Args:
        table: Segment table, ``n`` rows.
        settings: Thresholds.
        classes: Predicted ids worth inspecting; None for all.

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
    writer: CatalogueWriter, run: Run, work: StoredWork, crops: Crops, masks_of: MasksOf, embedder: Embedder
) -> dict[str, str]:
    """Embed those selected candidates of a dataset that are not in yet, block by block; returns what failed."""
    settings, dataset, name = crops.settings, crops.dataset, work.names.dataset
    crops.leave_out(writer.segments)
    failures: dict[str, str] = {}
    embedding = embedding_name(settings.net, settings.embedded, mixed=settings.mixed_precision)
    tasks = list(_blocks(dataset.ids, crops.by_image))
    unit = settings.candidates.removesuffix("s")
    with progress(total=crops.left, desc=f"embedding {name}", unit=unit) as bar:
        if settings.common.engine == RAY:
            found = embed_on_cluster(settings, run, work, masks_of, tasks, embedder.device.type)
        else:
            found = (embedded_block(task, crops, embedder, bar) for task in tasks)
        for block in found:
            failures |= block.failures
            if len(block.rows):
                done = name, tuple(block.rows["image_id"].unique())
                writer.add_part(block.rows, block.vectors, embedding, done, block.masks)
    return failures


def _blocks(ids: Sequence[str], by_image: Mapping[str, pd.DataFrame]) -> Iterator[CandidateBlock]:
    for number, indices in blocks(len(ids)):
        images = [i for i in indices if ids[i] in by_image]
        if images:
            rows = pd.concat([by_image[ids[i]] for i in images], ignore_index=True)
            yield CandidateBlock(number, images, rows)
