"""Stage 2: split every prediction into segments and compute their metrics."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from oodretrieval.cluster import as_it_is, map_cluster
from oodretrieval.errors import StoreError
from oodretrieval.execution import map_processes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import RAY
from oodretrieval.experiment.stage_failures import StageFailures
from oodretrieval.stages.measure.segment_blocks import BlockTask, compute_block
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stores import Stored, Workspace
from oodretrieval.stores.table_layout import TableLayout

logger = logging.getLogger(__name__)


def compute_metrics(settings: MetricsSettings, run: Run) -> dict[str, Any]:
    """Compute the segment table of a dataset's predictions; images that are done are skipped.

    Args:
        settings: Which predictions.
        run: Configuration and workspace.

    Returns:
        Number of ``images`` and ``segments`` computed now, images ``skipped``, and the ``folder``.

    Raises:
        StoreError: If nothing is predicted yet.
        AllFailedError: If not one prediction could be read.
        SettingsMismatchError: If predictions or tables were made with other settings.
        PartialFailure: If some predictions could not be read; all others are done.
    """
    run = run.for_others() if settings.common.engine == RAY else run
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset = run.dataset(settings.dataset, replace(settings.common, limit=0))
    wanted = work.dataset.ids
    predicted = work.predicted(wanted)
    records = work.records(predicted)
    if not records:
        raise work.all_failed("compute_metrics", {image: work.why_unread(image) for image in predicted})
    made_by = dict(next(iter(records.values())).settings)
    _require_measurable(run.workspace.prediction_folder(work.names), made_by)
    folder = run.workspace.segments_folder(work.names)
    with (
        run.workspace.lock(folder),
        StageFailures("compute_metrics", folder, made_by, settings.common) as failing,
    ):
        from_scratch = settings.common.overwrite and len(wanted) == len(dataset)
        layout = TableLayout.of(run.workspace, work.names, dataset.ids, made_by, from_scratch=from_scratch)
        skipped = failing.skipped(
            settings.dataset, dataset, predicted, partial(_files, run.workspace, work.names)
        )
        tried = [image for image in predicted if image not in skipped]
        todo = tried if settings.common.overwrite else layout.outstanding(tried, records)
        tasks = [BlockTask(tuple(images), to) for to, images in layout.destinations(layout.numbers(todo))]
        failures: dict[str, str] = {}
        try:
            return _run(tasks, settings, folder, len(tried), failures)
        finally:
            failing.add(settings.dataset, failures)
            layout.remove_others([task.destination.number for task in tasks])


def _files(workspace: Workspace, stored: Stored, image_id: str) -> list[Path]:
    return [workspace.prediction_path(stored, image_id)]


def _require_measurable(folder: Path, made_by: Mapping[str, Any]) -> None:
    if made_by.get("keep") == "nothing":
        raise StoreError(
            f"{folder} keeps neither logits nor softmax; its segment metrics were computed by pred_images. "
            "To compute them again, predict with args.keep=logits args.overwrite=True"
        )


def _run(
    tasks: list[BlockTask], settings: MetricsSettings, folder: Path, tried: int, failures: dict[str, str]
) -> dict[str, Any]:
    segments = 0
    what, unit = "segment metrics", "block"
    if settings.common.engine == RAY:
        found = map_cluster(partial(as_it_is, compute_block), tasks, desc=what, unit=unit)
    else:
        found = map_processes(compute_block, tasks, settings.common.cores, desc=what, unit=unit)
    for count, failed in found:
        segments += count
        failures |= failed
    images = sum(len(task.images) for task in tasks) - len(failures)
    skipped = tried - images - len(failures)
    if images:
        logger.info(
            "%d segments of %d images, %d images were there; in %s", segments, images, skipped, folder
        )
    else:
        logger.info("nothing to do, %d images were there; in %s", skipped, folder)
    return {"images": images, "segments": segments, "skipped": skipped, "folder": str(folder)}
