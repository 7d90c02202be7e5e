"""Stage 3: train a meta model that predicts each segment's IoU, and judge it beside its baselines."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import SettingsError, SettingsMismatchError, StoreError, TableError
from oodretrieval.evaluation import clip_names
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.inputs import dataset_in_use, load_meta_model_of, segments_in_use
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import require_at_least
from oodretrieval.meta_models import MetaModel, held_out_rows, save_meta_model, training_rows
from oodretrieval.results.result import Context, Result, model_context, save_result, split_of
from oodretrieval.results.rules import Drawing, scene_notes, void_rule
from oodretrieval.stages.fit.meta_evaluation import (
    as_tables,
    cross_validated,
    estimates,
    judge,
    positive_threshold,
)
from oodretrieval.stages.fit.meta_recipe import HYPERPARAMETERS, Recipe, RecipeSettings
from oodretrieval.stages.predict.segmenter import predicted_classes
from oodretrieval.stores import Workspace, plain, read_segment_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainMetaSettings(RecipeSettings):
    """What a meta model learns from, and how it is judged.

    Attributes:
        dataset: Name of the dataset whose segments it learns from.
        dataset_val: Name of the dataset it is judged on; empty to hold out a fifth of the training images.
        folds: Judge it by cross-validation with so many folds on dataset instead; 0 for not.
        groups: What stays together in a fold: images, or the clips of a video, whose frames resemble each other.
        model_name: Name of the segmentation network.
        strict: Leave out segments that are mostly void or unknown: nobody could name them in use.
    """

    dataset: str = ""
    dataset_val: str = ""
    folds: int = 0
    groups: Literal["image", "clip"] = "image"
    model_name: str = ""
    strict: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "folds")
        if self.folds == 1:
            raise SettingsError("args.folds must be at least 2, or 0 to judge on args.dataset_val; came 1")


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
        TableError: If there is no truth to learn from.
        SettingsError: If there are fewer images or clips than folds.
        SettingsMismatchError: If the file exists and was made with other settings.
    """
    recipe = Recipe.of(settings, run, choose_device(settings.gpu))
    made_by = _made_by(settings, run.workspace)
    trained = None if settings.overwrite else _trained(recipe, made_by)
    if trained is not None:
        logger.info("%s is trained already; args.overwrite=True trains it anew", recipe.path)
        return _report(settings, run, recipe, trained.quality["figures"])
    train, judged = _tables(settings, run)
    model, rows = recipe.build(), training_rows(train, settings.strict)
    # the best epoch is chosen on held-out training images: what judges it is not peeked at
    model.fit(rows)
    if settings.folds:
        found = _cross_validated(recipe, train, settings)
    else:
        found = estimates(recipe, model, train, judged, settings.strict)
    figures = judge(judged, found, Drawing.of(settings, _judged_dataset(settings, run.configuration)))
    dataset = dataset_in_use(settings, run.configuration, settings.dataset)
    classes = predicted_classes(run.configuration.model(settings.model_name), dataset, model.num_classes)
    save_meta_model(
        model,
        recipe.path,
        class_names=[classes[i][0] for i in sorted(classes)],
        quality=plain({"made_by": made_by, "figures": figures, "threshold": positive_threshold(model, rows)}),
    )
    logger.info("saved %s", recipe.path)
    return _report(settings, run, recipe, figures)


def _made_by(settings: TrainMetaSettings, workspace: Workspace) -> dict[str, Any]:
    """What identifies the training: its settings, and the weights that made the segments."""
    recorded = read_segment_settings(workspace, settings.model_name, settings.dataset)
    names = ("dataset", "dataset_val", "folds", "groups", "strict", "limit", "features", *HYPERPARAMETERS)
    chosen = {name: getattr(settings, name) for name in names}
    return dict(plain({"model": settings.model_name, "weights": recorded.get("weights", ""), **chosen}))


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


def _tables(settings: TrainMetaSettings, run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments to learn from, and to be judged on."""
    train = segments_in_use(settings, run, (settings.model_name, settings.dataset))
    if settings.folds:
        return train, train
    if settings.dataset_val:
        names = settings.model_name, settings.dataset_val
        try:
            return train, segments_in_use(_of_judged(settings), run, names)
        except StoreError as error:
            raise StoreError(
                f"{error}; or judge otherwise: by another args.dataset_val, on held-out images of "
                f"{settings.dataset} (args.dataset_val=''), or by cross-validation (args.folds=5)"
            ) from error
    held_out = held_out_rows(train, settings.seed)
    if not held_out.any():
        raise TableError(
            f"{settings.dataset!r} has segments of one image only, none to hold out; name another args.dataset_val"
        )
    return train[~held_out], train[held_out]


def _of_judged(settings: TrainMetaSettings) -> TrainMetaSettings:
    """Settings for the dataset that is judged: args.root and args.limit are of the one that is learned from."""
    same = settings.folds or settings.dataset_val in ("", settings.dataset)
    return replace(
        settings, root=settings.root if same else "", limit=0 if settings.dataset_val else settings.limit
    )


def _judged_name(settings: TrainMetaSettings) -> str:
    return settings.dataset if settings.folds or not settings.dataset_val else settings.dataset_val


def _judged_how(settings: TrainMetaSettings) -> str:
    if settings.folds:
        return f"it by {settings.folds}-fold cross-validation over {settings.groups}s"
    return settings.dataset_val or "held-out images of it"


def _judged_dataset(settings: TrainMetaSettings, configuration: Configuration) -> SegmentationDataset:
    return dataset_in_use(_of_judged(settings), configuration, _judged_name(settings))


def _cross_validated(recipe: Recipe, table: pd.DataFrame, settings: TrainMetaSettings) -> Any:
    images = table["image_id"].astype(str).tolist()
    groups = clip_names(images) if settings.groups == "clip" else images
    try:
        return cross_validated(recipe, table, groups, settings.folds, settings.strict)
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
) -> dict[str, Any]:
    """Save and log the figures."""
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
            images=len(dataset),
            void_rule=f"{learned}; {truth}",
            resolution="segments of the predictions at the size of the images",
            threshold="probability of IoU > 0 of the highest accuracy on the training segments",
            intervals=Drawing.of(settings, dataset).words(len(dataset)),
            meta_model=recipe.name,
            **model_context(run.configuration, settings.model_name),
        ),
        settings=asdict(settings),
        figures=figures,
        tables=as_tables(figures),
        notes=scene_notes(dataset),
    )
    folder = Path(settings.save_dir) if settings.save_dir else run.workspace.path / "evaluation"
    files = save_result(folder, result)
    return {"path": str(recipe.path), "figures": figures, "files": [str(file) for file in files]}
