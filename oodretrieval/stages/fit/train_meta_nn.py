"""Stage 3: train a meta model that predicts each segment's IoU, and compare it with its baselines."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from oodretrieval.errors import WeightsError
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.fitted_images import FITTED_ON
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.trained_models import load_meta_model_of
from oodretrieval.meta_models import MetaModel, save_meta_model, training_rows
from oodretrieval.results.result import Result, result_folder, save_result
from oodretrieval.results.rules import Resampling, resample_notes, scene_notes, void_rule
from oodretrieval.stages.fit.better_kinds import caution
from oodretrieval.stages.fit.chosen_segments import Split
from oodretrieval.stages.fit.held_out import Division
from oodretrieval.stages.fit.meta_evaluation import (
    as_tables,
    cross_validated,
    estimates,
    evaluate_estimates,
    positive_threshold,
)
from oodretrieval.stages.fit.meta_recipe import HYPERPARAMETERS, Recipe
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stores import plain, require_asked_settings

logger = logging.getLogger(__name__)
CAUTION = "caution"
"""Under which the file of a meta model says that it is worse than the mean."""


def train_meta_nn(settings: TrainMetaSettings, run: Run) -> dict[str, Any]:
    """Train a meta model, compare it with its baselines and save it.

    Args:
        settings: What to learn from.
        run: Configuration and workspace.

    Returns:
        ``path``; ``figures``: set of segments → model or baseline → R², RMSE, AUROC, AUPRC, accuracy and their
        intervals; ``files`` of the result.

    Raises:
        StoreError: If a dataset has no segment table yet.
        TableError: If there is no truth to learn from, or every image to evaluate on is learned from.
        SettingsError: If there are fewer images or clips than folds.
        SettingsMismatchError: If the file exists and was made with other settings.
    """
    recipe = Recipe.of(settings.recipe, run, choose_device(settings.common.gpu))
    division = Division.of(settings, run)
    made_by = _made_by(division)
    trained = None if settings.common.overwrite else _trained(recipe, made_by)
    (train, evaluated), notes = division.split(run)
    if trained is not None:
        logger.info("%s is trained already; args.overwrite=True trains it again", recipe.path)
        measures, words = trained.quality["figures"], trained.quality.get(CAUTION, "")
    else:
        # the best epoch is chosen on held-out training images: what evaluates it is not used
        taught = train.teaching(settings.recipe.seed)
        rows = training_rows(taught, settings.strict)
        model = recipe.build().fit(rows)
        measures, words = _evaluated(division, recipe, model, taught, (train, evaluated))
        quality = {"made_by": made_by, "figures": measures, "threshold": positive_threshold(model, rows)}
        quality |= {FITTED_ON: division.fitted_on(train), **({CAUTION: words} if words else {})}
        _save(division, recipe, model, quality, run)
    notes = (*notes, *filter(None, [words]))
    return _report(division, run, recipe, measures, len(evaluated.images), notes)


def _made_by(division: Division) -> dict[str, Any]:
    """What identifies the training: its settings, the segments and what made them."""
    names = ("dataset", "dataset_val", "folds", "groups", "strict", "limit", "features", *HYPERPARAMETERS)
    chosen = flat(division.settings)
    return dict(plain({**division.made_of(), **{name: chosen[name] for name in names}}))


def _trained(recipe: Recipe, made_by: dict[str, Any]) -> MetaModel | None:
    """The model that is there, if it was trained with these settings; None if there is none."""
    if not recipe.path.is_file():
        return None
    try:
        model = load_meta_model_of(recipe.entry, recipe.path)
    except WeightsError as error:
        raise WeightsError(f"{error}; args.overwrite=True trains one in its place") from error
    require_asked_settings(recipe.path, model.quality.get("made_by", {}), made_by)
    return model


def _evaluated(
    division: Division, recipe: Recipe, model: MetaModel, taught: pd.DataFrame, split: Split
) -> tuple[dict[str, Any], str]:
    """Measures of the model and its baselines, and what to say of one that is worse than the mean."""
    settings, (train, evaluated) = division.settings, split
    splits = [split]
    if settings.folds:
        fold = division.folds(train)
        splits = [(train.where(fold != n), train.where(fold == n)) for n in range(settings.folds)]
        found = cross_validated(recipe, train, fold, settings.strict)
    else:
        found = estimates(recipe, model, taught, evaluated.parts(), settings.strict)
    measures = evaluate_estimates(evaluated.table, found, _resampling(division))
    words = caution(measures, model.kind, splits, settings.strict, settings.recipe.seed)
    if words:
        logger.warning("%s", words)
    return measures, words


def _save(division: Division, recipe: Recipe, model: MetaModel, quality: Mapping[str, Any], run: Run) -> None:
    """Save the model with what it was fitted on and how good it is."""
    entry = run.configuration.model(division.settings.model_name)
    classes = predicted_classes(entry, division.learned.dataset, model.num_classes)
    names = [classes[i][0] for i in sorted(classes)]
    save_meta_model(model, recipe.path, class_names=names, quality=plain(dict(quality)))
    logger.info("saved %s", recipe.path)


def _resampling(division: Division) -> Resampling:
    return division.settings.evaluation.resampling(division.evaluated.dataset)


def _resamples(measures: Mapping[str, Any], repetitions: int) -> tuple[str, ...]:
    left_out = (values.get("resamples_left_out", 0) for rows in measures.values() for values in rows.values())
    return resample_notes(max(left_out, default=0), repetitions)


def _report(
    division: Division,
    run: Run,
    recipe: Recipe,
    measures: Mapping[str, Any],
    images: int,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """Save and log the measures on this number of images."""
    settings, dataset, name = division.settings, division.evaluated.dataset, division.evaluated.names.dataset
    learned = (
        "segments mostly void or unknown left out of the training"
        if settings.strict
        else "all segments teach"
    )
    truth = void_rule(dataset.label_set) if dataset.label_set is not None else ""
    result = Result(
        title=f"Predicted IoU by {recipe.name}, trained on {settings.dataset}, evaluated on {division.words()}",
        stem=f"predicted_iou_{recipe.name}_{settings.model_name}_{name}",
        context=measured_on(
            run,
            [name],
            settings.model_name,
            images=images,
            void_rule=f"{learned}; {truth}",
            resolution="segments of the predictions at the size of the images",
            threshold="probability of IoU > 0 of the highest accuracy on the training segments",
            intervals=_resampling(division).words(images),
            meta_model=recipe.name,
        ),
        settings=flat(settings),
        measures=measures,
        tables=as_tables(measures),
        notes=(*notes, *scene_notes(dataset), *_resamples(measures, settings.evaluation.repetitions)),
    )
    files = save_result(result_folder(run.workspace.path, settings.evaluation.save_dir), result)
    return {"path": str(recipe.path), "figures": measures, "files": [str(file) for file in files]}
