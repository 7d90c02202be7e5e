"""Stage 3: train a meta model that predicts each segment's IoU, and judge it beside its baselines."""

import inspect
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from oodretrieval.entries import MetaModelEntry, build, factory_of
from oodretrieval.errors import ConfigurationError, SettingsError, SettingsMismatchError, TableError
from oodretrieval.evaluation import MetaFigures, accuracy_threshold, block_bootstrap, meta_figures, r2
from oodretrieval.meta_models import (
    MetaModel,
    NeuralMetaModel,
    baseline_names,
    num_classes_of,
    save_meta_model,
    training_rows,
)
from oodretrieval.meta_models.sampling import held_out_rows
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inference import predicted_classes
from oodretrieval.stages.inputs import dataset_in_use, load_meta_model_of, meta_model_path, segments_in_use
from oodretrieval.stages.settings import CommonSettings, require_at_least
from oodretrieval.stores import Workspace, plain, read_segment_settings

logger = logging.getLogger(__name__)
BOOTSTRAP_REPETITIONS = 500
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

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "epochs", "learning_rate", "batch_size")


class Judged(NamedTuple):
    """Figures on one set of segments, and how sure they are.

    Attributes:
        figures: All figures.
        r2_interval: 95 % interval of R² by bootstrap over moving blocks of 20 images in dataset order, as
            neighbouring frames of video resemble each other.
    """

    figures: MetaFigures
    r2_interval: tuple[float, float]

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self.figures), "r2_interval": list(self.r2_interval)}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> "Judged":
        """What :meth:`plain` gave."""
        low, high = values["r2_interval"]
        return cls(MetaFigures(**{k: v for k, v in values.items() if k != "r2_interval"}), (low, high))


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
    trained = None if settings.overwrite else _trained(entry, path, made_by)
    if trained is not None:
        logger.info("%s is trained already; args.overwrite=True trains it anew", path)
        recorded = trained.quality["figures"]
        _log({k: {m: Judged.of_plain(f) for m, f in v.items()} for k, v in recorded.items()}, settings)
        return {"path": str(path), "figures": recorded}
    train, held_out = _tables(settings, configuration, workspace)
    device = choose_device(settings.gpu)
    model = _new_model(entry, settings, device)
    rows = training_rows(train, settings.strict)
    model.fit(rows)  # the best epoch is chosen on held-out training images: what judges it is not peeked at
    figures = judge(model, entry, settings, rows, held_out, device)
    _log(figures, settings)
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    classes = predicted_classes(configuration.model(settings.model_name), dataset, model.num_classes)
    plain_figures = {k: {m: f.plain() for m, f in v.items()} for k, v in figures.items()}
    save_meta_model(
        model,
        path,
        class_names=[classes[i][0] for i in sorted(classes)],
        quality=plain({"made_by": made_by, "figures": plain_figures}),
    )
    logger.info("saved %s", path)
    return {"path": str(path), "figures": plain_figures}


def _made_by(settings: TrainMetaSettings, workspace: Workspace) -> dict[str, Any]:
    """What identifies the training: its settings, and the weights that made the segments."""
    recorded = read_segment_settings(workspace, settings.model_name, settings.dataset)
    names = ("dataset", "dataset_val", "strict", "limit", *HYPERPARAMETERS)
    chosen = {name: getattr(settings, name) for name in names}
    return {"model": settings.model_name, "weights": recorded.get("weights", ""), **chosen}


def _trained(entry: MetaModelEntry, path: Path, made_by: dict[str, Any]) -> MetaModel | None:
    """The model that is there, if it was trained with these settings; None if there is none."""
    if not path.is_file():
        return None
    model = load_meta_model_of(entry, path)
    recorded = model.quality.get("made_by", {})
    differing = {
        key: (recorded.get(key), value) for key, value in made_by.items() if recorded.get(key) != value
    }
    if differing:
        raise SettingsMismatchError(path, differing)
    return model


def _tables(
    settings: TrainMetaSettings, configuration: Configuration, workspace: Workspace
) -> tuple[pd.DataFrame, pd.DataFrame]:
    train = segments_in_use(settings, configuration, workspace, (settings.model_name, settings.dataset))
    if settings.dataset_val:
        # args.root and args.limit are of the dataset that is learned from
        names = settings.model_name, settings.dataset_val
        root = settings.root if settings.dataset_val == settings.dataset else ""
        judged_on = replace(settings, root=root, limit=0)
        return train, segments_in_use(judged_on, configuration, workspace, names)
    held_out = held_out_rows(train, settings.seed)
    if not held_out.any():
        raise TableError(
            f"{settings.dataset!r} has segments of one image only, none to hold out; name another args.dataset_val"
        )
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
    factory = factory_of(entry)
    if inspect.isclass(factory) and issubclass(factory, nn.Module):
        return NeuralMetaModel(features, network=lambda size: build(entry, size), device=device, **options)
    known = inspect.signature(factory).parameters
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
) -> dict[str, dict[str, Judged]]:
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
        ``"known segments"``, ``"all segments"``, and each with an inside (``S_in > 0``) → name → figures.
        Known are those not mostly void or unknown.

    Raises:
        TableError: If no held-out segment has truth.
    """
    classes = num_classes_of(train)
    families = {"all features": model}
    for name, prefix in (("entropy only", "E"), ("size only", "S")):
        families[name] = _new_model(entry, settings, device, baseline_names(prefix, classes)).fit(train)
    known, everything = training_rows(held_out), training_rows(held_out, strict=False)
    if everything.empty:
        raise TableError(f"no segment of {settings.dataset_val!r} has truth; choose another args.dataset_val")
    sets = {
        "known segments": known,
        "known, S_in > 0": known[known["S_in"] > 0],
        "all segments": everything,
        "all, S_in > 0": everything[everything["S_in"] > 0],
    }
    positive = train["iou"].to_numpy() > 0
    thresholds = {name: accuracy_threshold(positive, m.predict(train)) for name, m in families.items()}
    mean = float(train["iou"].mean())
    figures: dict[str, dict[str, Judged]] = {}
    for what, rows in sets.items():
        if rows.empty:
            continue
        figures[what] = {n: _judged(rows, m.predict(rows), thresholds[n]) for n, m in families.items()}
        figures[what]["mean"] = _judged(rows, np.full(len(rows), mean), 0.0)
    return figures


def _judged(rows: pd.DataFrame, predicted: NDArray[np.float64], threshold: float) -> Judged:
    iou = rows["iou"].to_numpy()
    frames = pd.factorize(rows["image_id"])[0]
    interval = block_bootstrap(
        frames, lambda chosen: r2(iou[chosen], predicted[chosen]), repetitions=BOOTSTRAP_REPETITIONS
    )
    return Judged(meta_figures(iou, predicted, threshold=threshold), interval)


def _log(figures: dict[str, dict[str, Judged]], settings: TrainMetaSettings) -> None:
    rule = "strict" if settings.strict else "not strict"
    judged = settings.dataset_val or f"held-out images of {settings.dataset}"
    logger.info(
        "%s, trained on %s (%s), judged on %s", settings.meta_model_name, settings.dataset, rule, judged
    )
    for what, rows in figures.items():
        segments = next(iter(rows.values())).figures.segments
        logger.info(
            "%-28s %7s %15s %7s %7s %7s %8s",
            f"{what} ({segments})",
            *("R²", "95 % interval", "RMSE", "AUROC", "AUPRC", "accuracy"),
        )
        for name, judged_figures in rows.items():
            f, (low, high) = judged_figures
            logger.info(
                "  %-26s %7.3f %15s %7.3f %7.3f %7.3f %8.3f",
                *(name, f.r2, f"{low:.3f}…{high:.3f}", f.rmse, f.auroc, f.auprc, f.accuracy),
            )
    logger.info("intervals of R² by bootstrap over moving blocks of 20 images in the order of the dataset")
