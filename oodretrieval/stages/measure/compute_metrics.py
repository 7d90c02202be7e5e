"""Stage 2: split every prediction into segments and compute their metrics."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from oodretrieval.errors import PartialFailure, StoreError
from oodretrieval.execution import map_processes
from oodretrieval.experiment.inputs import (
    blocks,
    dataset_in_use,
    outstanding,
    predicted_ids,
    provenance,
    require_current,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.stages.measure.segment_blocks import Block, compute_block
from oodretrieval.stages.predict.inference_settings import RECORDED
from oodretrieval.stores import (
    Workspace,
    existing_parts,
    read_prediction_settings,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricsSettings(CommonSettings):
    """Which predictions to measure.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the network.
    """

    dataset: str = ""
    model_name: str = ""


def compute_metrics(settings: MetricsSettings, run: Run) -> dict[str, Any]:
    """Compute the segment tables of a dataset's predictions; blocks that are done are skipped.

    Args:
        settings: Which predictions.
        run: Configuration and workspace.

    Returns:
        Number of ``images`` and ``segments`` computed now, images ``skipped``, and the ``folder``.

    Raises:
        StoreError: If nothing is predicted yet.
        SettingsMismatchError: If predictions or tables were made with other settings.
        PartialFailure: If some predictions could not be read; all others are done.
    """
    names = settings.model_name, settings.dataset
    dataset = dataset_in_use(replace(settings, limit=0), run.configuration, settings.dataset)
    wanted = dataset_in_use(settings, run.configuration, settings.dataset).ids
    made_by = provenance(settings, run.configuration, *names)
    predicted = predicted_ids(run.workspace, names, wanted)
    kept = _require_matching(run.workspace, names, predicted[0], made_by)
    made_by |= kept
    with run.workspace.lock(run.workspace.segments_folder(*names)):
        done = existing_parts(run.workspace, *names, None if settings.overwrite else made_by)
        tasks = []
        for number, indices in blocks(len(dataset)):
            images = outstanding(
                [dataset.ids[i] for i in indices],
                set(predicted),
                set(done.get(number, [])),
                settings.overwrite,
            )
            if images:
                tasks.append(Block(run.workspace.path, *names, number, tuple(images), made_by))
        return _run(tasks, settings, run.workspace, len(predicted))


def _require_matching(
    workspace: Workspace, names: tuple[str, str], image_id: str, made_by: dict[str, Any]
) -> dict[str, Any]:
    """Check what made the predictions, and return how they were kept."""
    path = workspace.prediction_path(*names, image_id)
    recorded = read_prediction_settings(path)
    require_current(path.parent, recorded, made_by)
    if recorded.get("keep") == "nothing":
        raise StoreError(
            f"{path.parent} keeps neither logits nor softmax; its segment metrics were computed by pred_images. "
            "To compute them again, predict with args.keep=logits args.overwrite=True"
        )
    how = ("weights", "model_arguments", "keep", "source", *RECORDED)
    return {key: recorded[key] for key in how if key in recorded}


def _run(
    tasks: list[Block], settings: MetricsSettings, workspace: Workspace, predicted: int
) -> dict[str, Any]:
    failures: dict[str, str] = {}
    segments = 0
    bar = {"desc": "segment metrics", "unit": "block"}
    for count, failed in map_processes(compute_block, tasks, settings.num_cores, **bar):
        segments += count
        failures |= failed
    images = sum(len(task.images) for task in tasks) - len(failures)
    folder = workspace.segments_folder(settings.model_name, settings.dataset)
    if failures:
        raise PartialFailure("compute_metrics", failures)
    skipped = predicted - images
    if images:
        logger.info(
            "%d segments of %d images, %d images were there; in %s", segments, images, skipped, folder
        )
    else:
        logger.info("nothing to do, %d images were there; in %s", skipped, folder)
    return {"images": images, "segments": segments, "skipped": skipped, "folder": str(folder)}
