"""The analysis of a meta model on segments with truth: figures, what tells the IoU, and rating pictures."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.evaluation.meta_analysis import (
    correlations,
    kind_of_feature,
    permutation_importance,
)
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.meta_models import (
    LassoPath,
    Standardisation,
    feature_matrix,
    logistic_path,
    training_rows,
)
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import Resampling, scene_notes, void_rule
from oodretrieval.stages.evaluate.meta.meta_pictures import (
    CORRELATION,
    LOSS,
    SPREAD,
    Analysed,
    charts,
    ratings,
)
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.seen import seen_by
from oodretrieval.stages.fit.meta_evaluation import Estimate, as_tables, judge, judged_sets

logger = logging.getLogger(__name__)


def eval_meta(settings: EvalMetaSettings, run: Run) -> dict[str, Any]:
    """Figures of a trained meta model, correlation and importance of the metrics, charts, and rating pictures.

    Args:
        settings: What to analyse.
        run: Configuration and workspace.

    Returns:
        ``figures``: set of segments → model → figures; ``features``: name → correlation and importance;
        ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        WeightsError: If the meta model is not trained.
        TableError: If the dataset has no truth of classes, or a model was fitted on all of its images.
        UnknownNameError: If an image is not among those of the dataset.
    """
    settings = run.with_meta_model(settings)
    analysed = _open(settings, run)
    resampling = Resampling.of(settings.evaluation.block, settings.evaluation.repetitions, analysed.dataset)
    found = _estimates(analysed, run)
    figures = judge(
        analysed.table, found, resampling, against=settings.meta_model_name if settings.others else ""
    )
    path = _path(analysed, run)
    features, kinds = _features(analysed, path)
    folder = (
        Path(settings.evaluation.save_dir)
        if settings.evaluation.save_dir
        else run.workspace.path / "evaluation"
    )
    stem = f"meta_analysis_{settings.meta_model_name}_{settings.model_name}_{settings.dataset}"
    drawn = [*charts(analysed, features, kinds, path), *ratings(analysed)]
    result = Result(
        title=f"Predicted IoU of {settings.dataset} by {settings.meta_model_name}",
        stem=stem,
        context=_context(analysed, run.configuration, resampling),
        settings=flat(settings),
        figures={"figures": figures, "features": features.to_dict("index"), "kinds": kinds},
        tables={**as_tables(figures), "metrics": features},
        notes=(*analysed.notes, *scene_notes(analysed.dataset)),
        pictures={name: _saved(figure, folder, f"{stem}_{name}") for name, figure in drawn},
    )
    files = save_result(folder, result)
    return {"figures": figures, "features": features.to_dict("index"), "files": [str(file) for file in files]}


def _open(settings: EvalMetaSettings, run: Run) -> Analysed:
    """Model and segments, refused where they cannot be analysed."""
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset = work.dataset
    work.require_classes()
    for image in settings.images:
        if image not in dataset.ids:
            raise UnknownNameError(f"image of {settings.dataset}", image, dataset.ids)
    model = run.trained.meta_model(settings.meta_model_name, settings.model_name)
    table = work.table()
    work.warn_of_other_inference(settings.meta_model_name, model.quality.get("made_by", {}), table)
    seen = seen_by(run, work, meta_models=[settings.meta_model_name, *settings.others])
    table = seen.rows_of_others(table).reset_index(drop=True)
    judged_sets(table)  # refuses segments without truth
    known = training_rows(table)
    if known.empty:
        raise TableError(
            f"all segments of {settings.dataset!r} are mostly void or unknown; judge on another dataset"
        )
    return Analysed(settings, model, work, table, known, seen.notes)


def _saved(figure: Figure, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.png"
    figure.savefig(path, dpi=110)
    return path


def _context(analysed: Analysed, configuration: Configuration, resampling: Resampling) -> Context:
    settings, label_set = analysed.settings, analysed.dataset.label_set
    images = analysed.table["image_id"].nunique()
    return Context(
        dataset=settings.dataset,
        split=split_of(configuration, settings.dataset),
        images=images,
        void_rule="" if label_set is None else void_rule(label_set),
        resolution="segments of the predictions at the size of the images",
        threshold="probability of IoU > 0 of the highest accuracy in training; 0.5 where the file does not say",
        intervals=resampling.words(images),
        meta_model=settings.meta_model_name,
        **model_context(configuration, settings.model_name),
    )


def _estimates(analysed: Analysed, run: Run) -> dict[str, Estimate]:
    """Of the model, and of the others named beside it."""
    settings, table = analysed.settings, analysed.table
    models = {settings.meta_model_name: analysed.model}
    for name in settings.others:
        models[name] = run.trained.meta_model(name, settings.model_name)
    return {
        name: Estimate(
            m.predict(table), m.predict_positive(table), np.full(len(table), m.quality.get("threshold", 0.5))
        )
        for name, m in models.items()
    }


def _path(analysed: Analysed, run: Run) -> LassoPath | None:
    """The lasso path of the model's features; None where all segments are of one kind."""
    settings, rows = analysed.settings, analysed.known
    if settings.dataset_train and settings.dataset_train != settings.dataset:
        whole = replace(settings.common, root="", limit=0)
        rows = training_rows(run.stored(settings.model_name, settings.dataset_train, whole).table())
    hit = (rows["iou"].to_numpy() > 0).astype(np.float64)
    if not 0 < hit.mean() < 1:
        logger.warning("no lasso path: all segments have IoU > 0, or none has")
        return None
    features = feature_matrix(rows, analysed.model.feature_names)
    return logistic_path(Standardisation.of(features)(features), hit)


def _features(
    analysed: Analysed, path: LassoPath | None
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """What each metric tells of known segments, and the loss of R² without each kind of metric."""
    model, known, settings = analysed.model, analysed.known, analysed.settings
    names, iou = list(model.feature_names), known["iou"].to_numpy()
    features = feature_matrix(known, names, model.num_classes)
    members: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        members.setdefault(kind_of_feature(name), []).append(place)
    options = {"repeats": settings.permutations, "seed": settings.seed}
    kinds = permutation_importance(model.predict_features, features, iou, members, **options)
    single = {name: [place] for place, name in enumerate(names)}
    losses = permutation_importance(model.predict_features, features, iou, single, **options)
    table = pd.DataFrame(
        {
            CORRELATION: correlations(features, iou),
            LOSS: [losses[name][0] for name in names],
            SPREAD: [losses[name][1] for name in names],
        },
        index=pd.Index(names, name="metric"),
    )
    if path is not None:
        alive = path.weights != 0
        table["enters at λ"] = np.where(alive.any(axis=0), path.penalties[alive.argmax(axis=0)], np.nan)
    return table.sort_values(LOSS, ascending=False), kinds
