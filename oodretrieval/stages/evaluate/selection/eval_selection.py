"""Which of the unknown objects the selected segments lead to, and how soon each order of inspection finds them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from oodretrieval.charts.saving import Picture
from oodretrieval.charts.selection import found_figure, majority_figure, object_figure
from oodretrieval.errors import StoreError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.results.result import Result
from oodretrieval.results.rules import resample_notes, size_words
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.seen_images import score_others, seen_by
from oodretrieval.stages.evaluate.selection.evaluated_selection import EvaluatedSelection, ObjectRule
from oodretrieval.stages.evaluate.selection.inspection_orders import ORDERS, InspectionOrders, require_orders
from oodretrieval.stages.evaluate.selection.selection_tables import (
    class_table,
    look_notes,
    object_table,
    order_table,
    selection_table,
)
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.select.selecting import Selector, with_novelty
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, joined
from oodretrieval.stores.boxes import SIDES

logger = logging.getLogger(__name__)
KEPT = ("image_id", "segment_id", *SIDES, "S", "label")
"""Columns that stay of every segment, next to those that it is selected and ordered by."""
WIDE_BOXES = (
    "Found means that half of an object lies in the boxes inspected: a large segment finds all that its box holds, "
    "which is why random order finds many; unknown among the first looks is free of that."
)
PUBLISHED_COUNT = "Found and hit are counted as the published code does; orders of inspection are not."


def eval_selection(settings: SelectionSettings, run: Run) -> dict[str, Any]:
    """Share of segments selected, precision, unknown objects found and hit, and when each order finds them.

    Args:
        settings: What to evaluate.
        run: Configuration and workspace.

    Returns:
        What was measured, as plain values, and the ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        TableError: If the dataset has no truth.
        PartialFailure: If some images could not be read; all others are evaluated, and the result written.
    """
    settings = run.with_meta_model(settings)
    evaluated = Evaluated.of(settings, run, "eval_selection")
    work = evaluated.work
    device = choose_device(settings.common.gpu)
    selector = Selector(settings.rule, device, run, settings.model_name, settings.meta_model_name)
    meta_model = settings.meta_model_name if selector.meta_model is not None else ""
    seen = seen_by(run, work, meta_models=[meta_model], novelty=True)
    failures = evaluated.unread
    images, segments, scored = score_others(seen, work, selector, failures)
    tables = with_novelty(device, run, work, segments, scored, failures)
    table = joined(_kept(part, settings.orders) for part in tables)
    while True:
        # an image that cannot be read is left out of everything: what is selected depends on all that is there
        images = [image_id for image_id in images if image_id not in failures]
        if not images:
            evaluated.require_all_read()
        inspected = _inspected(settings, selector, table[table["image_id"].isin(images)])
        selection = _selection(settings, evaluated, inspected)
        damaged: dict[str, str] = {}
        for prediction in work.predictions(images, "objects", with_truth=True, failures=damaged):
            selection.add(prediction)
        if not damaged:
            break
        failures |= damaged
    result = _result(settings, evaluated, selection, seen.notes, len(images), meta_model)
    files = evaluated.save(result, _pictures(selection, result.measures, settings.dataset))
    evaluated.require_all_read()
    return {**result.measures, "files": files}


def _kept(table: pd.DataFrame, orders: Sequence[str]) -> pd.DataFrame:
    """What stays in memory of every segment."""
    require_orders(table, orders)
    by = {column.removeprefix("-") for column in (*ORDERS.values(), *orders)}
    names = {*KEPT, *by, SELECT_SCORE, PREDICTED_IOU}
    return table[[column for column in table.columns if column in names]]


def _inspected(settings: SelectionSettings, selector: Selector, table: pd.DataFrame) -> pd.DataFrame:
    """Segments that are large enough, and whether they are selected."""
    large = table["S"].to_numpy() >= settings.min_pixels
    table = table.assign(selected=selector.select(table, large))[large]
    if table.empty:
        raise StoreError(f"no segment has {settings.min_pixels} pixels; lower args.min_pixels")
    return table.reset_index(drop=True)


def _selection(
    settings: SelectionSettings, evaluated: Evaluated, inspected: pd.DataFrame
) -> EvaluatedSelection:
    orders = InspectionOrders.of(inspected, {column: column for column in settings.orders}, settings.seed)
    rule = ObjectRule(
        evaluated.label_set.unknown_ids, settings.min_height, settings.min_width, settings.published
    )
    return EvaluatedSelection(inspected, evaluated.label_set, rule, orders, evaluated.resampling)


def _result(
    settings: SelectionSettings,
    evaluated: Evaluated,
    selection: EvaluatedSelection,
    notes: tuple[str, ...],
    images: int,
    meta_model: str,
) -> Result:
    measures = selection.measures()
    undefined = max(order.get("resamples_left_out", 0) for order in measures["orders"].values())
    tables = {
        "selection": selection_table(measures),
        "objects by class": object_table(selection.counts()),
        "orders of inspection": order_table(measures),
        "objects found by class": class_table(measures),
    }
    return Result(
        title=f"Selection on {settings.dataset} by {' and '.join(filter(None, (settings.model_name, meta_model)))}",
        stem=f"selection_{settings.model_name}_{settings.dataset}",
        context=evaluated.context(
            images,
            f"{size_words(selection.sizes)}; segments of at least {settings.min_pixels} pixels, objects of at least "
            f"{settings.min_width}×{settings.min_height}",
            rule="a segment is what most of its pixels are",
            threshold=f"selected: {settings.rule.words()}",
            meta_model=meta_model,
        ),
        settings=flat(settings),
        measures=measures,
        tables={name: table for name, table in tables.items() if len(table)},
        notes=(
            *notes,
            *evaluated.scene_notes,
            *resample_notes(undefined, evaluated.resampling.repetitions),
            WIDE_BOXES,
            *look_notes(measures["segments"]),
            *((PUBLISHED_COUNT,) if settings.published else ()),
        ),
    )


def _pictures(selection: EvaluatedSelection, measures: Mapping[str, Any], dataset: str) -> Iterator[Picture]:
    found = found_figure(dict(selection.found.curves()), measures["objects"], dataset)
    yield Picture("How soon each order of inspection finds the objects", "looks", found)
    counts = selection.counts()
    if counts:
        yield Picture("Unknown objects", "", object_figure(counts, dataset))
    if measures["majorities"]:
        unknown = {selection.label_set.label_name(i) for i in selection.label_set.unknown_ids}
        drawn = majority_figure(measures["majorities"], unknown, dataset)
        yield Picture("What the selected segments are", "majorities", drawn)
