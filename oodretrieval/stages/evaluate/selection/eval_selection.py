"""How many of the unknown objects the selected segments lead to, and how soon each order of looking finds them."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval.errors import PartialFailure, StoreError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import (
    Resampling,
    resample_notes,
    result_folder,
    scene_notes,
    size_words,
    void_rule,
)
from oodretrieval.stages.evaluate.seen import seen_by
from oodretrieval.stages.evaluate.selection.evaluated_selection import JudgedSelection, ObjectRule
from oodretrieval.stages.evaluate.selection.inspection_orders import LookOrders, class_table, order_table
from oodretrieval.stages.evaluate.selection.selection_views import (
    draw_looks,
    draw_majorities,
    draw_objects,
    object_table,
    selection_table,
)
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.select.selecting import Selector, novelty_scores

logger = logging.getLogger(__name__)
WIDE_BOXES = (
    "Found means that half of an object lies in the boxes looked at: a large segment finds all that its box holds, "
    "which is why random order finds many; unknown among the first looks is free of that."
)


def eval_selection(settings: SelectionSettings, run: Run) -> dict[str, Any]:
    """Share of segments selected, precision, unknown objects found and hit, and when each order finds them.

    Args:
        settings: What to judge.
        run: Configuration and workspace.

    Returns:
        The figures as plain values, and the ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        TableError: If the dataset has no truth.
        PartialFailure: If some images could not be read; all others are evaluated, and the figures written.
    """
    settings = run.with_meta_model(settings)
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset, label_set = work.dataset, work.require_truth()
    device = choose_device(settings.common.gpu)
    selector = Selector(settings.rule, device, run, settings.model_name, settings.meta_model_name)
    meta_models = [settings.meta_model_name] if selector.meta_model is not None else []
    seen = seen_by(run, work, meta_models=meta_models, novelty=True)
    images = seen.others(work.predicted())
    table = work.table()
    table = table[table["image_id"].isin(images)].reset_index(drop=True)
    table, failures = selector.score(table, work)
    scores, failed = novelty_scores(device, run, work, table)
    table, failures = table.assign(**scores), failures | failed
    resampling = Resampling.of(settings.evaluation.block, settings.evaluation.repetitions, dataset)
    rule = ObjectRule(label_set.unknown_ids, settings.min_height, settings.min_width, settings.published)
    while True:
        # an image that cannot be read is left out of everything: what is selected depends on all that is there
        images = [image_id for image_id in images if image_id not in failures]
        if not images:
            raise PartialFailure("eval_selection", failures)
        inspected = _inspected(settings, selector, table[table["image_id"].isin(images)])
        orders = LookOrders.of(inspected, {column: column for column in settings.orders}, settings.seed)
        judged = JudgedSelection(inspected, label_set, rule, orders, resampling)
        damaged: dict[str, str] = {}
        for prediction in work.predictions(images, "objects", with_truth=True, failures=damaged):
            judged.add(prediction)
        if not damaged:
            break
        failures |= damaged
    result = _result(settings, run.configuration, judged, len(images), selector.meta_model is not None)
    undefined = max(order.get("resamples_left_out", 0) for order in result.figures["orders"].values())
    notes = (*seen.notes, *scene_notes(dataset), *resample_notes(undefined, resampling.repetitions))
    result = replace(result, notes=(*notes, *_left_out(failures), *result.notes))
    stem = result_folder(settings.evaluation.save_dir, run.workspace) / result.stem
    result = replace(result, pictures=_pictures(stem, judged, result.figures, settings.dataset))
    files = save_result(stem.parent, result)
    if failures:
        raise PartialFailure("eval_selection", failures)
    return {**result.figures, "files": [str(file) for file in files]}


def _left_out(failures: Mapping[str, str]) -> tuple[str, ...]:
    return (f"Left out, as they could not be read: {', '.join(failures)}.",) if failures else ()


def _inspected(settings: SelectionSettings, selector: Selector, table: pd.DataFrame) -> pd.DataFrame:
    """Segments that are large enough, and whether they are selected."""
    large = table["S"].to_numpy() >= settings.min_pixels
    table = table.assign(selected=selector.select(table, large))[large]
    if table.empty:
        raise StoreError(f"no segment has {settings.min_pixels} pixels; lower args.min_pixels")
    return table.reset_index(drop=True)


def _result(
    settings: SelectionSettings,
    configuration: Configuration,
    judged: JudgedSelection,
    images: int,
    with_meta_model: bool,
) -> Result:
    meta_model = settings.meta_model_name if with_meta_model else ""
    context = Context(
        dataset=settings.dataset,
        split=split_of(configuration, settings.dataset),
        images=images,
        void_rule=f"{void_rule(judged.label_set)}; a segment is what most of its pixels are",
        resolution=f"{size_words(judged.sizes)}; segments of at least {settings.min_pixels} pixels, objects of at "
        f"least {settings.min_width}×{settings.min_height}",
        threshold=f"selected: {settings.rule.words()}",
        intervals=judged.resampling.words(images),
        meta_model=meta_model,
        **model_context(configuration, settings.model_name),
    )
    figures = judged.figures()
    published = ("Found and hit are counted as the published code does; orders of looking are not.",)
    return Result(
        title=f"Selection on {settings.dataset} by {' and '.join(filter(None, (settings.model_name, meta_model)))}",
        stem=f"selection_{settings.model_name}_{settings.dataset}",
        context=context,
        settings=flat(settings),
        figures=figures,
        tables={
            "selection": selection_table(figures),
            "objects by class": object_table(judged.counts()),
            "orders of looking": order_table(figures["orders"]),
            "objects found by class": class_table(figures["orders"]),
        },
        notes=(WIDE_BOXES, *(published if settings.published else ())),
    )


def _pictures(
    stem: Path, judged: JudgedSelection, figures: Mapping[str, Any], dataset: str
) -> dict[str, Path]:
    counts = judged.counts()
    looks = stem.with_name(f"{stem.name}_looks.png")
    caption = "How soon each order of looking finds the objects"
    pictures = {caption: draw_looks(looks, dict(judged.finds.curves()), figures["objects"], dataset)}
    if counts:
        pictures["Unknown objects"] = draw_objects(stem.with_name(f"{stem.name}.png"), counts, dataset)
    if figures["majorities"]:
        unknown = {judged.label_set.label_name(i) for i in judged.label_set.unknown_ids}
        path = stem.with_name(f"{stem.name}_majorities.png")
        drawn = draw_majorities(path, figures["majorities"], unknown, dataset)
        pictures["What the selected segments are"] = drawn
    return pictures
