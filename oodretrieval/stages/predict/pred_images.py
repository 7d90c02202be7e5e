"""Stage 1: predict every image of a dataset and keep what the later stages need.

On one machine images flow through reading, network and writing at once (:mod:`~oodretrieval.stages.predict.flow`); on
a cluster each worker does so with blocks of them (:mod:`~oodretrieval.stages.predict.on_cluster`).
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from oodretrieval.datasets import subset_by_class
from oodretrieval.entries import ModelEntry, factory_of
from oodretrieval.errors import SettingsError, StoreError
from oodretrieval.experiment.device import stage_device
from oodretrieval.experiment.predicted_classes import require_same_classes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import RAY
from oodretrieval.experiment.stage_failures import StageFailures
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.predict.finish import Finisher
from oodretrieval.stages.predict.flow import Flow
from oodretrieval.stages.predict.on_cluster import predict_on_cluster
from oodretrieval.stages.predict.prediction_plan import Plan
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import plain, read_prediction_record, require_same_settings

logger = logging.getLogger(__name__)


def pred_images(settings: PredictSettings, run: Run) -> dict[str, Any]:
    """Predict a dataset; images that have a prediction already are skipped, and so are those that failed before.

    What is written depends neither on ``num_cores`` nor on ``engine``.

    Args:
        settings: What to predict.
        run: Configuration and workspace.

    Returns:
        Number of images ``predicted`` and ``skipped``, and the ``folder``.

    Raises:
        ConfigurationError: If the dataset numbers the network's classes in another way.
        SettingsMismatchError: If predictions of the same name were made with other settings.
        WorkerError: If a worker process dies; what is done is kept.
        PartialFailure: If some images could not be predicted; all others are done.
        AllFailedError: If not one could.
    """
    on_cluster = settings.common.engine == RAY
    run = run.for_others() if on_cluster else run
    work = run.stored(settings.model_name, settings.dataset, replace(settings.common, limit=0))
    dataset, wanted = work.dataset, run.dataset(settings.dataset, settings.common)
    if settings.classindex >= 0:
        wanted = subset_by_class(wanted, [settings.classindex])
    device = None if settings.source else stage_device(settings.common)
    entry = run.configuration.model(settings.model_name)
    if device is not None:
        require_same_classes(entry, dataset, work.names)
    made_by = _made_by(settings, work, entry, device)
    folder = run.workspace.prediction_folder(work.names)
    finisher = Finisher(run.workspace.path, work.names, settings.keep, made_by, dataset.label_set)
    with ExitStack() as locks:
        locks.enter_context(run.workspace.lock(folder))
        if settings.keep == "nothing":
            locks.enter_context(run.workspace.lock(run.workspace.segments_folder(work.names)))
        _require_same_images(work, made_by, overwrite=settings.common.overwrite)
        failing = locks.enter_context(StageFailures("pred_images", folder, made_by, settings.common))
        asked = set(wanted.ids) - failing.skipped(settings.dataset, dataset, wanted.ids)
        plan = Plan.of(finisher, dataset.ids, asked, overwrite=settings.common.overwrite)
        failures: dict[str, str] = {}
        predicted = 0
        try:
            if plan.todo and on_cluster:
                for count, failed in predict_on_cluster(settings, run, finisher, plan, device):
                    predicted, failures = predicted + count, failures | failed
            elif plan.todo:
                flow = Flow(settings, run.configuration, dataset, finisher, plan, device)
                failures = flow.failures
                flow()
                predicted = flow.predicted
            plan.tidy()
        finally:
            failing.add(settings.dataset, failures)
        logger.info("%d predicted, %d were there; in %s", predicted, plan.skipped, folder)
    return {"predicted": predicted, "skipped": plan.skipped, "folder": str(folder)}


def _made_by(
    settings: PredictSettings, work: StoredWork, entry: ModelEntry, device: torch.device | None
) -> dict[str, Any]:
    """What identifies the predictions; without a device they come from files.

    Raises:
        SettingsError: If logits shall be kept of what has none.
    """
    made_by = {**work.provenance, "keep": settings.keep, "source": settings.source}
    if device is None:
        if settings.keep == "logits":
            raise SettingsError("a softmax has no logits to keep; add args.keep=softmax or args.keep=nothing")
        return made_by | {"weights": "", "model_arguments": {}}
    _warn_without_weights(entry, settings.model_name)
    return made_by | settings.inference.recorded(device.type, entry.size)


def _require_same_images(
    work: StoredWork,
    made_by: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Refuse to put predictions of other images next to those of the dataset's; with ``overwrite`` they are removed.

    Predictions of images that have left the dataset stay, if it is built as it was then (from the same root).

    Raises:
        SettingsMismatchError: If the folder holds predictions of a dataset that is built in another way.
    """
    folder = work.workspace.prediction_folder(work.names)
    own = {work.workspace.prediction_path(work.names, image) for image in work.dataset.ids}
    current = {"dataset_arguments": made_by["dataset_arguments"]}
    removed = 0
    for path in sorted(folder.rglob("*.h5")):
        if path in own:
            continue  # compared with all settings when its turn comes
        try:
            recorded = read_prediction_record(path).settings.get("dataset_arguments")
        except StoreError:  # nothing that anybody could use
            continue
        if not overwrite:
            require_same_settings(folder, {"dataset_arguments": recorded}, current)
            return  # they were written under this very check
        if plain(recorded) != plain(current["dataset_arguments"]):
            path.unlink()
            removed += 1
    if removed:
        logger.info("%d predictions of images of another root are removed from %s", removed, folder)


def _warn_without_weights(entry: ModelEntry, name: str) -> None:
    """Say that nothing is loaded into a network: forgotten weights look like a network that knows nothing."""
    if entry.weights is None and not hasattr(factory_of(entry), "cached_weights"):
        logger.warning(
            "the entry %r names no weights: the network is used as its class builds it; set `weights` of the entry, "
            "unless the class loads its own",
            name,
        )
