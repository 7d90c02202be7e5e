"""Stage 3: train a meta model that predicts each segment's IoU, and judge it beside its baselines."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import SettingsError, SettingsMismatchError, StoreError, TableError
from oodretrieval.evaluation import clip_names
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.fitted_images import FITTED_ON, fitted_on, seen_images
from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat
from oodretrieval.experiment.trained_models import load_meta_model_of
from oodretrieval.meta_models import MetaModel, folds_of, held_out_rows, save_meta_model, training_rows
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import Resampling, resample_notes, scene_notes, void_rule
from oodretrieval.stages.fit.better_kinds import caution
from oodretrieval.stages.fit.meta_evaluation import (
    as_tables,
    cross_validated,
    estimates,
    judge,
    positive_threshold,
)
from oodretrieval.stages.fit.meta_recipe import HYPERPARAMETERS, Recipe
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.predict.segmenter import predicted_classes
from oodretrieval.stores import CurrentSegments, plain

logger = logging.getLogger(__name__)
CAUTION = "caution"
"""Under which the file of a meta model says that it is worse than the mean."""


def train_meta_nn(settings: TrainMetaSettings, run: Run) -> dict[str, Any]:
    """Train a meta model, judge it beside its baselines and save it.

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
    settings = changed(settings, {"groups": _groups(settings, run.configuration)})
    learned, evaluated_on = _segments(settings, run)
    made_by = _made_by(settings, learned, evaluated_on)
    trained = None if settings.common.overwrite else _trained(recipe, made_by)
    train, judged, notes = _tables(settings, run, learned, evaluated_on)
    images = judged["image_id"].nunique()
    if trained is not None:
        logger.info("%s is trained already; args.overwrite=True trains it again", recipe.path)
        notes = (*notes, *filter(None, [trained.quality.get(CAUTION)]))
        return _report(settings, run, recipe, trained.quality["figures"], images, notes)
    model, rows = recipe.build(), training_rows(train, settings.strict)
    # the best epoch is chosen on held-out training images: what evaluates it is not peeked at
    model.fit(rows)
    if settings.folds:
        fold = _folds(settings, train)
        splits = [(train[fold != number], train[fold == number]) for number in range(settings.folds)]
        found = cross_validated(recipe, train, fold, settings.folds, settings.strict)
    else:
        splits = [(train, judged)]
        found = estimates(recipe, model, train, judged, settings.strict)
    figures = judge(
        judged,
        found,
        Resampling.of(
            settings.evaluation.block,
            settings.evaluation.repetitions,
            _judged_dataset(settings, run.configuration),
        ),
    )
    words = caution(figures, model.kind, splits, settings.strict, settings.recipe.seed)
    if words:
        logger.warning("%s", words)
    dataset = run.dataset(settings.dataset, settings.common)
    classes = predicted_classes(run.configuration.model(settings.model_name), dataset, model.num_classes)
    quality = {
        "made_by": made_by,
        "figures": figures,
        "threshold": positive_threshold(model, rows),
        FITTED_ON: fitted_on(settings.dataset, train),
        **({CAUTION: words} if words else {}),
    }
    names = [classes[i][0] for i in sorted(classes)]
    save_meta_model(model, recipe.path, class_names=names, quality=plain(quality))
    logger.info("saved %s", recipe.path)
    notes = (*notes, *filter(None, [words]))
    return _report(settings, run, recipe, figures, images, notes)


def _groups(settings: TrainMetaSettings, configuration: Configuration) -> Literal["image", "clip"]:
    """What is held out together; image where nothing of the training dataset is."""
    if settings.groups:
        return settings.groups
    if settings.dataset_val and not settings.folds:
        return "image"
    dataset = dataset_in_use(configuration, settings.dataset, settings.common)
    return "clip" if getattr(dataset, "video", False) else "image"


def _made_by(
    settings: TrainMetaSettings, learned: CurrentSegments, evaluated_on: CurrentSegments | None
) -> dict[str, Any]:
    """What identifies the training: its settings, the segments and what made them."""
    names = ("dataset", "dataset_val", "folds", "groups", "strict", "limit", "features", *HYPERPARAMETERS)
    chosen = {name: flat(settings)[name] for name in names}
    made_of = {
        "model": settings.model_name,
        "weights": learned.settings.get("weights", ""),
        "inference": inference_of(learned.settings),
        "images": learned.key,
        "images_val": "" if evaluated_on is None else evaluated_on.key,
    }
    return dict(plain({**made_of, **chosen}))


def _trained(recipe: Recipe, made_by: dict[str, Any]) -> MetaModel | None:
    """The model that is there, if it was trained with these settings; None if there is none."""
    if not recipe.path.is_file():
        return None
    model = load_meta_model_of(recipe.entry, recipe.path)
    recorded = model.quality.get("made_by", {})
    differing = {
        key: (recorded.get(key), value) for key, value in made_by.items() if recorded.get(key) != value
    }
    if differing:
        raise SettingsMismatchError(recipe.path, differing)
    return model


def _segments(settings: TrainMetaSettings, run: Run) -> tuple[CurrentSegments, CurrentSegments | None]:
    """Segments to learn from, and those of the other dataset to evaluate on, if there is one."""
    learned = run.stored(settings.model_name, settings.dataset, settings.common).segments()
    if settings.folds or not settings.dataset_val:
        return learned, None
    try:
        other = run.stored(settings.model_name, settings.dataset_val, _of_judged(settings).common)
        return learned, other.segments()
    except StoreError as error:
        raise StoreError(f"{error}; or evaluate otherwise: {_otherwise(settings)}") from error


def _otherwise(settings: TrainMetaSettings) -> str:
    return (
        f"on another args.dataset_val, on held-out images of {settings.dataset} "
        "(args.dataset_val=''), or by cross-validation (args.folds=5)"
    )


def _tables(
    settings: TrainMetaSettings, run: Run, learned: CurrentSegments, evaluated_on: CurrentSegments | None
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Rows to learn from and to evaluate on, and what to say of the choice."""
    train = learned.read()
    if settings.folds:
        return train, train, _caution(settings, run.configuration)
    if evaluated_on is not None:
        return train, *_unseen(settings, run, train, evaluated_on.read())
    clips = clip_names(train["image_id"].astype(str).tolist()) if settings.groups == "clip" else None
    held_out = held_out_rows(train, settings.recipe.seed, groups=clips)
    if not held_out.any():
        other = ", or hold out frames of it by args.groups=image" if clips else ""
        raise TableError(
            f"{settings.dataset!r} has segments of one {settings.groups} only, none to hold out; name another "
            f"args.dataset_val{other}"
        )
    return train[~held_out], train[held_out], _caution(settings, run.configuration)


def _unseen(
    settings: TrainMetaSettings, run: Run, train: pd.DataFrame, table: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Segments of the images of args.dataset_val that are not learned from."""
    dataset = _judged_dataset(settings, run.configuration)
    learned = {"the meta model": {FITTED_ON: fitted_on(settings.dataset, train)}}
    try:
        seen = seen_images(run.configuration, settings.dataset_val, dataset, table, learned)
    except TableError as error:
        raise TableError(
            f"args.dataset_val={settings.dataset_val}: {error}: {_otherwise(settings)}"
        ) from error
    for note in seen.notes:
        logger.warning("%s", note)
    return seen.rows_of_others(table), seen.notes


def _caution(settings: TrainMetaSettings, configuration: Configuration) -> tuple[str, ...]:
    """What to know of frames of a video that are held out while others of their clip are learned from."""
    dataset = dataset_in_use(configuration, settings.dataset, settings.common)
    if settings.groups == "clip" or not getattr(dataset, "video", False):
        return ()
    return (
        "Frames are evaluated on while others of the same clip are learned from, which they resemble: the measures are "
        "too high; args.groups=clip holds out whole clips.",
    )


def _resamples(figures: Mapping[str, Any], repetitions: int) -> tuple[str, ...]:
    left_out = (values.get("resamples_left_out", 0) for rows in figures.values() for values in rows.values())
    return resample_notes(max(left_out, default=0), repetitions)


def _of_judged(settings: TrainMetaSettings) -> TrainMetaSettings:
    """Settings for the dataset that is judged: args.root and args.limit are of the one that is learned from."""
    same = settings.folds or settings.dataset_val in ("", settings.dataset)
    return changed(
        settings,
        {
            "root": settings.common.root if same else "",
            "limit": 0 if settings.dataset_val else settings.common.limit,
        },
    )


def _judged_name(settings: TrainMetaSettings) -> str:
    return settings.dataset if settings.folds or not settings.dataset_val else settings.dataset_val


def _judged_how(settings: TrainMetaSettings) -> str:
    if settings.folds:
        return f"it by {settings.folds}-fold cross-validation over {settings.groups}s"
    return settings.dataset_val or "held-out images of it"


def _judged_dataset(settings: TrainMetaSettings, configuration: Configuration) -> SegmentationDataset:
    return dataset_in_use(configuration, _judged_name(settings), _of_judged(settings).common)


def _folds(settings: TrainMetaSettings, table: pd.DataFrame) -> NDArray[np.intp]:
    """The fold in which each segment is held out."""
    images = table["image_id"].astype(str).tolist()
    groups = clip_names(images) if settings.groups == "clip" else images
    try:
        return folds_of(groups, settings.folds, settings.recipe.seed)
    except ValueError as error:
        raise SettingsError(
            f"args.folds={settings.folds}, but {settings.dataset!r} has {len(set(groups))} {settings.groups}s; lower "
            "args.folds, or set args.groups=image"
        ) from error


def _report(
    settings: TrainMetaSettings,
    run: Run,
    recipe: Recipe,
    figures: Mapping[str, Any],
    images: int,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """Save and log the measures on this number of images."""
    dataset, name = _judged_dataset(settings, run.configuration), _judged_name(settings)
    learned = (
        "segments mostly void or unknown left out of the training"
        if settings.strict
        else "all segments teach"
    )
    truth = void_rule(dataset.label_set) if dataset.label_set is not None else ""
    result = Result(
        title=f"Predicted IoU by {recipe.name}, trained on {settings.dataset}, judged on {_judged_how(settings)}",
        stem=f"predicted_iou_{recipe.name}_{settings.model_name}_{name}",
        context=Context(
            dataset=name,
            split=split_of(run.configuration, name),
            images=images,
            void_rule=f"{learned}; {truth}",
            resolution="segments of the predictions at the size of the images",
            threshold="probability of IoU > 0 of the highest accuracy on the training segments",
            intervals=Resampling.of(
                settings.evaluation.block, settings.evaluation.repetitions, dataset
            ).words(images),
            meta_model=recipe.name,
            **model_context(run.configuration, settings.model_name),
        ),
        settings=flat(settings),
        figures=figures,
        tables=as_tables(figures),
        notes=(*notes, *scene_notes(dataset), *_resamples(figures, settings.evaluation.repetitions)),
    )
    folder = (
        Path(settings.evaluation.save_dir)
        if settings.evaluation.save_dir
        else run.workspace.path / "evaluation"
    )
    files = save_result(folder, result)
    return {"path": str(recipe.path), "figures": figures, "files": [str(file) for file in files]}
