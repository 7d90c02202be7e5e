"""All stages in sequence, from images to the explorer: predict, measure, select, embed, then look."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import OODRetrievalError, PartialFailure, SettingsError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.explorer.desktop import discover_embedding_space, display_problem
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.stages.measure.compute_metrics import MetricsSettings, compute_metrics
from oodretrieval.stages.predict.pred_images import PredictSettings, pred_images
from oodretrieval.stages.report.report import ReportSettings, report
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.embed_settings import EmbedSettings
from oodretrieval.stages.select.selecting import SelectionRule

logger = logging.getLogger(__name__)
Group = TypeVar("Group", bound=CommonSettings)
FOLDER = ("oodretrieval.datasets.folder", "ImageFolder")
GROUPS = ("predict", "embed", "report")
OWN = {"report": {"save_file"}}
"""Settings of a group that mean something else there: the page, not the catalogue."""


@dataclass(frozen=True)
class PipelineSettings(SelectionRule):
    """What runs through all stages; what a stage alone understands is in its group.

    Attributes:
        dataset: Name of the dataset; a folder of photographs needs none, args.root is enough.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        net: Embedding network.
        save_file: Name of the catalogue; by default that of the dataset.
        explore: Open the explorer at the end; else, or where there is no display, an HTML report is written.
        predict: Group of settings of scripts/pred_images.py.
        embed: Group of settings of scripts/compute_embeddings.py.
        report: Group of settings of scripts/report.py.
    """

    dataset: str = ""
    model_name: str = ""
    meta_model_name: str = ""
    net: str = "efficientnet_lite0"
    save_file: str = ""
    explore: bool = True
    predict: PredictSettings = field(default_factory=PredictSettings)
    embed: EmbedSettings = field(default_factory=EmbedSettings)
    report: ReportSettings = field(default_factory=ReportSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in GROUPS:
            _require_unset(name, getattr(self, name))


def pipeline(settings: PipelineSettings, run: Run) -> dict[str, Any]:
    """Run all stages; what is done already is skipped, so that a run which broke off goes on.

    Args:
        settings: What to run.
        run: Configuration and workspace.

    Returns:
        Name of the ``dataset`` and the ``catalogue``, and the ``report``, where one was written.

    Raises:
        SettingsError: If there are neither a dataset nor a folder.
        PartialFailure: At the end, if some images failed; all others are done.
    """
    run, settings = _with_dataset(settings, run)
    failures: dict[str, str] = {}
    names = {"dataset": settings.dataset, "model_name": settings.model_name}
    logger.info("1/4 predicting %s with %s", settings.dataset, settings.model_name)
    _do(lambda: pred_images(_group(settings, settings.predict, **names), run), failures)
    logger.info("2/4 measuring segments")
    if settings.predict.keep != "nothing":  # else they were measured at once
        _do(lambda: compute_metrics(_group(settings, MetricsSettings(), **names), run), failures)
    logger.info("3/4 selecting segments that look unknown and embedding them with %s", settings.net)
    embed = _group(settings, settings.embed, dataset=(settings.dataset,), save_file=settings.save_file)
    _do(lambda: compute_embeddings(embed, run), failures)
    found: dict[str, Any] = {"dataset": settings.dataset, "catalogue": settings.save_file}
    problem = display_problem() if settings.explore else "args.explore=False"
    if problem is None:
        logger.info("4/4 opening the explorer; Escape leaves it, ? shows what mouse and keys do")
        discover_embedding_space(
            _group(settings, ExplorerSettings(), embeddings_file=settings.save_file), run
        )
    else:
        logger.info("4/4 writing a report instead of opening the explorer (%s)", problem)
        page = {"embeddings_file": settings.save_file, "save_file": settings.report.save_file}
        found["report"] = report(_group(settings, settings.report, **names, **page), run)["file"]
    if failures:
        raise PartialFailure("pipeline", failures)
    return found


def _do(stage: Callable[[], Any], failures: dict[str, str]) -> None:
    """Run a stage and remember the images that failed, for the others go on."""
    try:
        stage()
    except PartialFailure as error:
        failures |= error.failures
    except OODRetrievalError as error:
        if failures:  # they are why there is nothing to go on with
            raise PartialFailure("pipeline", failures) from error
        raise


def _with_dataset(settings: PipelineSettings, run: Run) -> tuple[Run, PipelineSettings]:
    """Settings with the names of dataset and catalogue; a folder of photographs gets an entry, by its own name."""
    configuration, name = run.configuration, settings.dataset
    if not name and not settings.root:
        raise SettingsError(
            "set args.root to a folder of photographs, or args.dataset to the name of an entry"
        )
    if not name:
        root = Path(settings.root).expanduser().resolve()
        name = _free_name(root.name or "photographs", configuration)
        entry = DatasetEntry(*FOLDER, {"root": str(root)})
        configuration = replace(configuration, datasets={**configuration.datasets, name: entry})
    meta_model = settings.meta_model_name or _meta_model_of(settings.model_name, configuration)
    named = replace(settings, dataset=name, save_file=settings.save_file or name, meta_model_name=meta_model)
    return replace(run, configuration=configuration), named


def _free_name(name: str, configuration: Configuration) -> str:
    return f"{name}_folder" if name in configuration.datasets else name


def _meta_model_of(model_name: str, configuration: Configuration) -> str:
    """The meta model that goes with a network, else the default one."""
    own = getattr(configuration.model(model_name), "meta_model", "")
    return str(own or configuration.defaults["META_MODEL"])


def _shared(group: object) -> set[str]:
    """Names of settings that are set once for all stages."""
    own = {item.name for item in fields(PipelineSettings)}
    return own & {item.name for item in fields(group)}  # type: ignore[arg-type]


def _require_unset(name: str, group: CommonSettings) -> None:
    """Refuse settings in a group that are set for all stages at once."""
    default = type(group)()
    for shared in sorted(_shared(group) - OWN.get(name, set())):
        if getattr(group, shared) != getattr(default, shared):
            raise SettingsError(f"args.{name}.{shared} is the same in all stages; set args.{shared} instead")


def _group(settings: PipelineSettings, group: Group, **own: Any) -> Group:
    """The settings of a stage: its group, with what is set for all stages."""
    common = {name: getattr(settings, name) for name in _shared(group)}
    return replace(group, **{**common, **own})
