"""A run on one page: candidates by score, every result with its pictures, best and worst segments, clusters."""

import logging
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from oodretrieval import __version__
from oodretrieval.charts.contact_sheets import Sheet, data_address, tiles
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import PartialFailure, StoreError, UnknownNameError, WeightsError
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.files import atomic_path
from oodretrieval.masks import RunLengthMask
from oodretrieval.meta_models import MetaModel
from oodretrieval.results.saved_results import SavedResult
from oodretrieval.results.tables import NO_VALUE
from oodretrieval.stages.report.rated_segments import RatedSegments
from oodretrieval.stages.report.report_evaluations import saved_evaluations
from oodretrieval.stages.report.report_segments import candidate_sheet, cluster_sheets, orders, segment_lines
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stages.select.crops import segment_masks
from oodretrieval.stores import Catalogue, Stored, Workspace
from oodretrieval.stores.catalogue import MANIFEST

logger = logging.getLogger(__name__)


def report(settings: ReportSettings, run: Run) -> dict[str, Any]:
    """Write one self-contained HTML page; what a stage has not made yet is named, with its command.

    Args:
        settings: What to report.
        run: Configuration and workspace.

    Returns:
        ``file``, number of ``evaluations`` shown, and what is ``missing``.

    Raises:
        StoreError: If there is no segment table of this network on this dataset.
        PartialFailure: If some images cannot be read: the page is written, and their pictures are blank.
    """
    run, settings = _of_catalogue(settings, run)
    settings = run.with_meta_model(settings)
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset = work.dataset
    missing: list[str] = []
    catalogue = _catalogue(settings, run.workspace, missing)
    evaluations = saved_evaluations(settings, run.workspace, catalogue, dataset.label_set, missing)
    rated = RatedSegments.of(work.segments(), _meta_model(settings, run, missing), settings.min_pixels)
    unread: dict[str, str] = {}
    segment_sheets = _rated_sheets(settings, run, work, rated, (missing, unread))
    page = (
        _environment()
        .get_template("report.html")
        .render(
            title=f"{settings.model_name} on {settings.dataset}",
            facts=_facts(settings, dataset, rated, catalogue),
            settings=flat(settings),
            evaluations=[_shown(evaluation) for evaluation in evaluations],
            candidates=candidate_sheet(catalogue, settings.segments, unread)
            if catalogue is not None
            else None,
            segment_sheets=segment_sheets,
            cluster_sheets=_clusters(settings, catalogue, unread),
            missing=missing,
        )
    )
    path = _path(settings, run.workspace)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    logger.info("%s: %d evaluations, %.1f MB", path, len(evaluations), path.stat().st_size / 1e6)
    for what in missing:
        logger.info("not in it: %s", what)
    if unread:
        raise PartialFailure("report", unread)
    return {"file": str(path), "evaluations": len(evaluations), "missing": missing}


def _of_catalogue(settings: ReportSettings, run: Run) -> tuple[Run, ReportSettings]:
    """A catalogue that is named says what it is of; a folder of photographs gets its entry again."""
    if not settings.embeddings_file:
        return run, settings
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    if settings.dataset in set(catalogue.segments["dataset"]):
        return run, settings
    first = catalogue.segments.iloc[0]
    dataset, model = str(first["dataset"]), str(catalogue.settings.get("model", settings.model_name))
    logger.info("catalogue %s is of %s by %s, and so is the report", catalogue.name, dataset, model)
    configuration, root = run.configuration, ""
    if dataset not in configuration.datasets:
        path = Path(str(first["image_path"]))
        root = str(path.parents[str(first["image_id"]).count("/")])  # an id is the path below it
        configuration = configuration.with_folder(dataset, root)
    return replace(run, configuration=configuration), changed(
        settings, {"dataset": dataset, "model_name": model, "root": root}
    )


def _clusters(settings: ReportSettings, catalogue: Catalogue | None, unread: dict[str, str]) -> list[Sheet]:
    if catalogue is None:
        return []
    number = settings.clusters or None
    return list(cluster_sheets(catalogue, settings.method, number, settings.segments, settings.seed, unread))


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("oodretrieval.stages.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _path(settings: ReportSettings, workspace: Workspace) -> Path:
    of = settings.embeddings_file or settings.dataset
    stem = f"{settings.dataset}_{of}" if of != settings.dataset else settings.dataset
    default = workspace.reports_folder / f"{settings.model_name}_{stem}.html"
    path = Path(settings.save_file).expanduser() if settings.save_file else default
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _facts(
    settings: ReportSettings, dataset: SegmentationDataset, rated: RatedSegments, catalogue: Catalogue | None
) -> dict[str, str]:
    return {
        "network": settings.model_name,
        "dataset": settings.dataset,
        "images": f"{len(dataset):,}",
        "segments": f"{rated.segments:,} in {rated.images:,} images",
        "meta model": settings.meta_model_name,
        "catalogue": f"{catalogue.name}, {len(catalogue):,} {catalogue.candidates}"
        if catalogue is not None
        else NO_VALUE,
        "made by": f"oodretrieval {__version__}",
    }


def _catalogue(settings: ReportSettings, workspace: Workspace, missing: list[str]) -> Catalogue | None:
    name = settings.embeddings_file or settings.dataset
    try:
        return Catalogue.named(workspace, name, verify=settings.common.verify)
    except (StoreError, UnknownNameError) as error:
        if settings.embeddings_file:
            raise
        if (workspace.catalogue_folder(name) / MANIFEST).is_file():
            missing.append(f"candidates and clusters: {error}")
            return None
        missing.append(
            f"candidates and clusters: scripts/compute_embeddings.py with "
            f"{_named(settings).arguments} {shlex.quote(f'args.meta_model_name={settings.meta_model_name}')}"
        )
        return None


def _named(settings: ReportSettings) -> Stored:
    return Stored(settings.model_name, settings.dataset, settings.common.places)


def _shown(evaluation: SavedResult) -> dict[str, Any]:
    pictures = {
        caption: data_address(
            path.read_bytes(), "image/jpeg" if path.suffix in (".jpg", ".jpeg") else "image/png"
        )
        for caption, path in evaluation.pictures.items()
    }
    rules = {key.replace("_", " "): value for key, value in evaluation.context.items() if value != ""}
    return {
        "title": evaluation.title,
        "rules": rules,
        "notes": evaluation.notes,
        "tables": evaluation.tables,
        "pictures": pictures,
    }


def _meta_model(settings: ReportSettings, run: Run, missing: list[str]) -> MetaModel | None:
    try:
        return run.trained.meta_model(settings.meta_model_name, settings.model_name)
    except WeightsError as error:
        missing.append(f"best and worst segments: {error}")
        return None


def _rated_sheets(
    settings: ReportSettings,
    run: Run,
    work: StoredWork,
    rated: RatedSegments,
    gaps: tuple[list[str], dict[str, str]],
) -> list[Sheet]:
    """The segments of lowest and highest predicted IoU, and where the estimate errs most.

    ``gaps`` get what is missing, and image id → why it cannot be read.
    """
    missing, unread = gaps
    if rated.large is None:
        return []
    if rated.large.empty:
        missing.append(
            f"best and worst segments: none has {settings.min_pixels} pixels; lower args.min_pixels"
        )
        return []
    dataset = work.dataset
    mapping = predicted_classes(run.configuration.model(settings.model_name), dataset, rated.classes)
    class_names = {i: name for i, (name, _) in mapping.items()}
    make = partial(
        tiles,
        image_of=lambda image_id: work.sample(image_id).image,
        lines_of=lambda row: segment_lines(row, class_names, dataset),
        unread=unread,
    )
    shown = {title: (note, order[: settings.segments]) for title, note, order in orders(rated.large)}
    rows = rated.read(np.concatenate([order for _, order in shown.values()]))
    return [
        Sheet(title, note, make(rows.loc[order], masks=_masks(work, rows.loc[order], unread)))
        for title, (note, order) in shown.items()
    ]


def _masks(work: StoredWork, segments: pd.DataFrame, unread: dict[str, str]) -> list[RunLengthMask | None]:
    """The mask of each segment, so that it can be outlined; None where the prediction cannot be read."""
    masks: list[RunLengthMask | None] = [None] * len(segments)
    for image, places in segments.groupby("image_id").indices.items():
        numbers = segments["segment_id"].to_numpy()[places].tolist()
        try:
            found = segment_masks(work, str(image), numbers)
        except StoreError as error:
            unread[str(image)] = str(error)
            continue
        for place, mask in zip(places, found, strict=True):
            masks[int(place)] = mask
    return masks
