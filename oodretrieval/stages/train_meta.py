"""Stage 3: train a meta model that predicts each segment's IoU, and judge it beside its baselines."""

import inspect
import logging
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from oodretrieval.entries import MetaModelEntry, build
from oodretrieval.errors import ConfigurationError, SettingsError, SettingsMismatchError, TableError
from oodretrieval.evaluation import MetaFigures, accuracy_threshold, meta_figures
from oodretrieval.meta_models import (
    MetaModel,
    NeuralMetaModel,
    baseline_names,
    load_meta_model,
    num_classes_of,
    save_meta_model,
    training_rows,
)
from oodretrieval.meta_models.neural import held_out_rows
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inference import predicted_classes
from oodretrieval.stages.inputs import dataset_in_use, meta_model_path
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Workspace, plain, read_segment_settings, read_segments

logger = logging.getLogger(__name__)
HYPERPARAMETERS = ("epochs", "learning_rate", "weight_decay", "batch_size", "seed")


@dataclass(frozen=True)
class TrainMetaSettings(CommonSettings):
    """What a meta model learns from, and how.

    Attributes:
        dataset: Name of the dataset whose segments it learns from.
        dataset_val: Name of the dataset it is judged on; empty to hold out a fifth of the training images.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        strict: Leave out segments that are mostly void or unknown: nobody could name them in use.
        epochs: Passes over the segments; the entry's own if 0, like all that follow.
        learning_rate: Adam's step.
        weight_decay: Adam's L2 penalty; the entry's own if negative.
        batch_size: Segments a step.
        seed: Of initial weights, order and split.
    """

    dataset: str = ""
    dataset_val: str = ""
    model_name: str = ""
    meta_model_name: str = ""
    strict: bool = True
    epochs: int = 0
    learning_rate: float = 0.0
    weight_decay: float = -1.0
    batch_size: int = 0
    seed: int = 0


def train_meta(
    settings: TrainMetaSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Train a meta model, judge it beside its baselines and save it.

    Args:
        settings: What to learn from.
        configuration: Where names are looked up.
        workspace: Where segment tables are read; the model is written to its entry's path, or here.

    Returns:
        ``path``, and ``figures``: set of segments → model or baseline → R², RMSE, AUROC, AUPRC, accuracy.

    Raises:
        StoreError: If a dataset has no segment table yet.
        TableError: If there is no truth to learn from.
        SettingsMismatchError: If the file exists and was made with other settings.
    """
    entry = configuration.meta_model(settings.meta_model_name)
    path = meta_model_path(entry, settings.meta_model_name, workspace)
    made_by = _made_by(settings, workspace)
    _require_same(path, made_by, settings.overwrite)
    train, held_out = _tables(settings, workspace)
    device = choose_device(settings.gpu)
    model = _new_model(entry, settings, device)
    rows = training_rows(train, settings.strict)
    model.fit(rows)  # the best epoch is chosen on held-out training images: what judges it is not peeked at
    figures = judge(model, entry, settings, rows, held_out, device)
    _log(figures, settings)
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    classes = predicted_classes(configuration.model(settings.model_name), dataset, model.num_classes)
    quality = {
        "made_by": made_by,
        "figures": {k: {m: asdict(f) for m, f in v.items()} for k, v in figures.items()},
    }
    save_meta_model(model, path, class_names=[classes[i][0] for i in sorted(classes)], quality=plain(quality))
    logger.info("saved %s", path)
    return {"path": str(path), "figures": quality["figures"]}


def _made_by(settings: TrainMetaSettings, workspace: Workspace) -> dict[str, Any]:
    recorded = read_segment_settings(workspace, settings.model_name, settings.dataset)
    names = ("dataset", "dataset_val", "strict", *HYPERPARAMETERS)
    chosen = {name: getattr(settings, name) for name in names}
    return {"model": settings.model_name, "weights": recorded.get("weights", ""), **chosen}


def _require_same(path: Path, made_by: dict[str, Any], overwrite: bool) -> None:
    if overwrite or not path.is_file():
        return
    recorded = load_meta_model(path).quality.get("made_by", {})
    differing = {
        key: (recorded.get(key), value) for key, value in made_by.items() if recorded.get(key) != value
    }
    if differing:
        raise SettingsMismatchError(path, differing)


def _tables(settings: TrainMetaSettings, workspace: Workspace) -> tuple[pd.DataFrame, pd.DataFrame]:
    train = read_segments(workspace, settings.model_name, settings.dataset)
    if settings.dataset_val:
        return train, read_segments(workspace, settings.model_name, settings.dataset_val)
    held_out = held_out_rows(train, settings.seed)
    return train[~held_out], train[held_out]


def _new_model(
    entry: MetaModelEntry,
    settings: TrainMetaSettings,
    device: torch.device,
    features: list[str] | None = None,
) -> MetaModel:
    """A fresh model of the entry's class; a plain network is wrapped into the published training."""
    given = {name: getattr(settings, name) for name in HYPERPARAMETERS}
    unset = TrainMetaSettings()
    options = {k: v for k, v in given.items() if v != getattr(unset, k) or k == "seed"}
    factory = getattr(import_module(entry.module), entry.class_name, None)
    if inspect.isclass(factory) and issubclass(factory, nn.Module):
        return NeuralMetaModel(features, network=lambda size: build(entry, size), device=device, **options)
    known = inspect.signature(factory).parameters if factory is not None else {}
    refused = sorted(set(options) - set(known) - {"seed"})
    if refused:
        raise SettingsError(f"{entry.class_name} has no {', '.join(refused)}; leave args.{refused[0]} out")
    options = {key: value for key, value in options.items() if key in known}
    if "device" in known:
        options["device"] = device
    model = build(entry, **options, **({} if features is None else {"features": features}))
    if not isinstance(model, MetaModel):
        raise ConfigurationError(
            f"entry {entry.module}.{entry.class_name} must build a MetaModel or a torch.nn.Module, "
            f"built {type(model).__name__}"
        )
    return model


def judge(
    model: MetaModel,
    entry: MetaModelEntry,
    settings: TrainMetaSettings,
    train: pd.DataFrame,
    held_out: pd.DataFrame,
    device: torch.device,
) -> dict[str, dict[str, MetaFigures]]:
    """Figures of a model and its baselines on held-out segments.

    The baselines are the same family on the entropy columns only and on the size columns only, and the mean.

    Args:
        model: Trained on ``train``.
        entry: Its entry, from which the baselines are built.
        settings: How they are trained.
        train: Segments it learned from.
        held_out: Segments to judge it on.
        device: Where the baselines are trained.

    Returns:
        ``"known segments"`` and ``"all segments"`` → name → figures. Known are those not mostly void or
        unknown.

    Raises:
        TableError: If no held-out segment has truth.
    """
    classes = num_classes_of(train)
    families = {"all features": model}
    for name, prefix in (("entropy only", "E"), ("size only", "S")):
        families[name] = _new_model(entry, settings, device, baseline_names(prefix, classes)).fit(train)
    sets = {"known segments": training_rows(held_out), "all segments": training_rows(held_out, strict=False)}
    if sets["all segments"].empty:
        raise TableError(f"no segment of {settings.dataset_val!r} has truth; choose another args.dataset_val")
    positive = train["iou"].to_numpy() > 0
    thresholds = {name: accuracy_threshold(positive, m.predict(train)) for name, m in families.items()}
    figures: dict[str, dict[str, MetaFigures]] = {}
    for what, rows in sets.items():
        iou = rows["iou"].to_numpy()
        figures[what] = {
            name: meta_figures(iou, family.predict(rows), threshold=thresholds[name])
            for name, family in families.items()
        }
        mean = np.full(len(rows), float(train["iou"].mean()))
        figures[what]["mean"] = meta_figures(iou, mean, threshold=0.0)
    return figures


def _log(figures: dict[str, dict[str, MetaFigures]], settings: TrainMetaSettings) -> None:
    rule = "strict" if settings.strict else "not strict"
    judged = settings.dataset_val or f"held-out images of {settings.dataset}"
    logger.info(
        "%s, trained on %s (%s), judged on %s", settings.meta_model_name, settings.dataset, rule, judged
    )
    for what, rows in figures.items():
        segments = next(iter(rows.values())).segments
        logger.info(
            "%-28s %7s %7s %7s %7s %8s", f"{what} ({segments})", "R²", "RMSE", "AUROC", "AUPRC", "accuracy"
        )
        for name, f in rows.items():
            logger.info(
                "  %-26s %7.3f %7.3f %7.3f %7.3f %8.3f", name, f.r2, f.rmse, f.auroc, f.auprc, f.accuracy
            )
