"""All stages in sequence, from images to the explorer: predict, measure, select, embed, then explore."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from oodretrieval.errors import OODRetrievalError, PartialFailure, SettingsError, SettingsMismatchError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import (
    changed,
    flat,
)
from oodretrieval.explorer.desktop.window import display_problem
from oodretrieval.explorer.hosts import discover_embedding_space
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.pipeline_settings import PipelineSettings, shared
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.report.report import report
from oodretrieval.stages.select.catalogue_settings import require_same_choice
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings

logger = logging.getLogger(__name__)
Group = TypeVar("Group")
OTHER_CATALOGUE = (
    "choose another args.save_file, which keeps both, or add embed.overwrite=True to make this catalogue again (what "
    "is predicted and measured stays)"
)
"""What to do where a catalogue of this name was made with other settings."""


def pipeline(settings: PipelineSettings, run: Run) -> dict[str, Any]:
    """Run all stages; what is done already is skipped, so that a run which broke off goes on.

    Args:
        settings: What to run.
        run: Configuration and workspace.

    Returns:
        Name of the ``dataset`` and the ``catalogue``, and the ``report``, where one was written.

    Raises:
        SettingsError: If there are neither a dataset nor a folder.
        SettingsMismatchError: If there is work of other settings.
        PartialFailure: At the end, if some images failed; all others are done.
    """
    run, settings = _with_dataset(settings, run)
    failed: list[PartialFailure] = []
    names = {"dataset": settings.dataset, "model_name": settings.model_name}
    embed = _embedding(settings)
    if not (embed.common.overwrite or embed.load_file):
        require_same_choice(embed, run.workspace, OTHER_CATALOGUE)
    logger.info("1/4 predicting %s with %s", settings.dataset, settings.model_name)
    _do(lambda: pred_images(_group(settings, settings.predict, **names), run), failed)
    logger.info("2/4 measuring segments")
    if settings.predict.keep != "nothing":  # else they were measured at once
        _do(lambda: compute_metrics(_group(settings, MetricsSettings(), **names), run), failed)
    logger.info("3/4 selecting segments that look unknown and embedding them with %s", settings.net)
    _do(lambda: _embed(embed, run), failed)
    found: dict[str, Any] = {"dataset": settings.dataset, "catalogue": settings.save_file}
    problem = display_problem() if settings.explore else "args.explore=False"
    if problem is None:
        logger.info("4/4 opening the explorer; Ctrl + w closes it, ? shows what mouse and keys do")
        discover_embedding_space(
            _group(settings, ExplorerSettings(), embeddings_file=settings.save_file), run
        )
    else:
        logger.info("4/4 writing a report instead of opening the explorer (%s)", problem)
        page = {"embeddings_file": settings.save_file, "save_file": settings.report.save_file}
        found["report"] = report(_group(settings, settings.report, **names, **page), run)["file"]
    if failed:
        records = dict.fromkeys(str(error.record) for error in failed if error.record is not None)
        raise PartialFailure("pipeline", _reasons(failed), " and ".join(records) or None)
    return found


def _embedding(settings: PipelineSettings) -> EmbedSettings:
    """What the catalogue is made by."""
    again = settings.common.overwrite or settings.embed.common.overwrite
    names = {"dataset": (settings.dataset,), "save_file": settings.save_file}
    return _group(settings, settings.embed, **names, overwrite=again)


def _embed(settings: EmbedSettings, run: Run) -> None:
    try:
        compute_embeddings(settings, run)
    except SettingsMismatchError as error:
        if error.where != run.workspace.catalogue_folder(settings.save_file):
            raise  # predictions, or a table
        raise SettingsMismatchError(error.where, error.differences, OTHER_CATALOGUE) from error


def _do(stage: Callable[[], Any], failed: list[PartialFailure]) -> None:
    """Run a stage and remember the images that failed, for the others go on."""
    try:
        stage()
    except PartialFailure as error:
        failed.append(error)
    except OODRetrievalError:
        reasons = _reasons(failed)
        if reasons:  # they may be why there is nothing to go on with
            image, reason = next(iter(reasons.items()))
            logger.warning("%d image(s) failed before, the first, %s: %s", len(reasons), image, reason)
        raise


def _reasons(failed: Sequence[PartialFailure]) -> dict[str, str]:
    """Image → why it failed; of several reasons the last."""
    return {image: reason for error in failed for image, reason in error.failures.items()}


def _with_dataset(settings: PipelineSettings, run: Run) -> tuple[Run, PipelineSettings]:
    """Settings with the names of dataset and catalogue; a folder of photographs gets an entry, by its own name."""
    name = settings.dataset
    if not name and not settings.common.root:
        raise SettingsError(
            "set args.root to a folder of photographs, or args.dataset to the name of an entry"
        )
    if not name:
        run, name = run.with_folder(settings.common.root)
    meta_model = run.configuration.meta_model_for(settings.model_name, settings.meta_model_name)
    named = changed(
        settings, {"dataset": name, "save_file": settings.save_file or name, "meta_model_name": meta_model}
    )
    return run, named


def _group(settings: PipelineSettings, group: Group, **own: Any) -> Group:
    """The settings of a stage: its group, with what is set for all stages."""
    values = flat(settings)
    return changed(group, {**{name: values[name] for name in shared(group)}, **own})
