"""The analysis of a meta model on segments with truth: figures, what tells the IoU, and rating pictures."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.evaluation import auroc
from oodretrieval.evaluation.meta_analysis import (
    correlations,
    kind_of_feature,
    permutation_importance,
    roc_points,
)
from oodretrieval.evaluation.meta_charts import (
    correlation_figure,
    importance_figure,
    path_figure,
    rating_figure,
    roc_figure,
    scatter_figure,
)
from oodretrieval.labels import ClassMapping, LabelSet
from oodretrieval.meta_models import (
    LassoPath,
    LogisticMetaModel,
    MetaModel,
    Standardisation,
    feature_matrix,
    logistic_path,
    training_rows,
)
from oodretrieval.segments import label_components
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.inputs import dataset_in_use, open_meta_model, predicted_ids, segments_in_use
from oodretrieval.stages.meta_judging import Estimate, as_tables, judge, judged_sets
from oodretrieval.stages.results import Context, Result, model_context, save_result, split_of
from oodretrieval.stages.rules import Drawing, EvaluationSettings, scene_notes, void_rule
from oodretrieval.stages.settings import require_at_least
from oodretrieval.stores import Workspace, read_prediction

logger = logging.getLogger(__name__)
SINGLE_METRICS = {"mean entropy": "E", "mean variation ratio": "V", "size": "S"}
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class EvalMetaSettings(EvaluationSettings):
    """Which meta model to analyse, on what.

    Attributes:
        dataset: Name of the dataset with truth, which the meta model has not learned from.
        dataset_train: Name of the dataset on whose segments the lasso path is computed; the judged one if empty.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        others: Names of trained meta models to tell beside it, with the difference of R².
        images: Ids of the images to draw rating pictures of; the first ones if empty.
        pictures: Number of rating pictures, where no images are named.
        permutations: How often each metric is dealt out anew.
        seed: Of that.
    """

    dataset: str = ""
    dataset_train: str = ""
    model_name: str = ""
    meta_model_name: str = ""
    others: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    pictures: int = 3
    permutations: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "pictures")
        require_at_least(self, 1, "permutations")


@dataclass(frozen=True, eq=False)
class Analysed:
    """A meta model and the segments it is judged on.

    Attributes:
        settings: What is asked for.
        model: The trained model.
        dataset: The judged images.
        table: All their segments.
        known: Segments with truth that are not mostly void or unknown.
    """

    settings: EvalMetaSettings
    model: MetaModel
    dataset: SegmentationDataset
    table: pd.DataFrame
    known: pd.DataFrame

    @property
    def title(self) -> str:
        """Of every chart."""
        return f"{self.settings.meta_model_name} on {self.settings.dataset}"


def evaluate_meta(
    settings: EvalMetaSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Figures of a trained meta model, correlation and importance of the metrics, charts, and rating pictures.

    Args:
        settings: What to analyse.
        configuration: Where names are looked up.
        workspace: Where segment tables, meta models and predictions are read.

    Returns:
        ``figures``: set of segments → model → figures; ``features``: name → correlation and importance;
        ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        WeightsError: If the meta model is not trained.
        TableError: If the dataset has no truth.
        UnknownNameError: If an image is not among those of the dataset.
    """
    names = settings.model_name, settings.dataset
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    if dataset.label_set is None:
        raise TableError(
            f"dataset {settings.dataset!r} has no truth; meta models are judged on datasets with truth"
        )
    model = open_meta_model(configuration, settings.meta_model_name, workspace, settings.model_name)
    table = segments_in_use(settings, configuration, workspace, names).reset_index(drop=True)
    judged_sets(table)  # refuses segments without truth
    known = training_rows(table)
    if known.empty:
        raise TableError(
            f"all segments of {settings.dataset!r} are mostly void or unknown; judge on another dataset"
        )
    analysed = Analysed(settings, model, dataset, table, known)
    drawing = Drawing.of(settings, dataset)
    found = _estimates(analysed, configuration, workspace)
    figures = judge(table, found, drawing, against=settings.meta_model_name if settings.others else "")
    path = _path(analysed, configuration, workspace)
    features, kinds = _features(analysed, path)
    folder = Path(settings.save_dir) if settings.save_dir else workspace.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"meta_analysis_{settings.meta_model_name}_{settings.model_name}_{settings.dataset}"
    charts = [*_charts(analysed, features, kinds, path), *_ratings(analysed, workspace)]
    pictures = {}
    for name, figure in charts:
        file = folder / f"{stem}_{name.replace(' ', '_').replace('/', '_')}.png"
        figure.savefig(file, dpi=110)
        pictures[name] = file
    result = Result(
        title=f"Predicted IoU of {settings.dataset} by {settings.meta_model_name}",
        stem=stem,
        context=Context(
            dataset=settings.dataset,
            split=split_of(configuration, settings.dataset),
            images=len(dataset),
            void_rule=void_rule(dataset.label_set),
            resolution="segments of the predictions at the size of the images",
            threshold="probability of IoU > 0 of the highest accuracy in training; 0.5 where the file does not say",
            intervals=drawing.words(),
            meta_model=settings.meta_model_name,
            **model_context(configuration, settings.model_name),
        ),
        settings=asdict(settings),
        figures={"figures": figures, "features": features.to_dict("index"), "kinds": kinds},
        tables={**as_tables(figures), "metrics": features},
        notes=scene_notes(dataset),
        pictures=pictures,
    )
    files = save_result(folder, result)
    return {"figures": figures, "features": features.to_dict("index"), "files": [str(file) for file in files]}


def _estimates(analysed: Analysed, configuration: Configuration, workspace: Workspace) -> dict[str, Estimate]:
    """Of the model, and of the others named beside it."""
    settings, table = analysed.settings, analysed.table
    models = {settings.meta_model_name: analysed.model}
    for name in settings.others:
        models[name] = open_meta_model(configuration, name, workspace, settings.model_name)
    return {
        name: Estimate(
            m.predict(table), m.predict_positive(table), np.full(len(table), m.quality.get("threshold", 0.5))
        )
        for name, m in models.items()
    }


def _path(analysed: Analysed, configuration: Configuration, workspace: Workspace) -> LassoPath | None:
    """The lasso path of the model's features; None where all segments are of one kind."""
    settings, rows = analysed.settings, analysed.known
    if settings.dataset_train and settings.dataset_train != settings.dataset:
        names = settings.model_name, settings.dataset_train
        there = replace(settings, root="", limit=0)
        rows = training_rows(segments_in_use(there, configuration, workspace, names))
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
            "correlation with IoU": correlations(features, iou),
            "loss of R² without it": [losses[name][0] for name in names],
            "deviation": [losses[name][1] for name in names],
        },
        index=pd.Index(names, name="metric"),
    )
    if path is not None:
        alive = path.weights != 0
        table["enters at λ"] = np.where(alive.any(axis=0), path.penalties[alive.argmax(axis=0)], np.nan)
    return table.sort_values("loss of R² without it", ascending=False), kinds


def _charts(
    analysed: Analysed,
    features: pd.DataFrame,
    kinds: Mapping[str, tuple[float, float]],
    path: LassoPath | None,
) -> Iterator[tuple[str, Figure]]:
    """Name → chart."""
    model, known, title = analysed.model, analysed.known, analysed.title
    values = features["correlation with IoU"].to_numpy()
    yield "correlations", correlation_figure(list(features.index), values, f"{title}: known segments")
    lost, spread = (features[column].tolist() for column in ("loss of R² without it", "deviation"))
    losses = dict(zip(map(str, features.index), zip(lost, spread, strict=True), strict=True))
    yield (
        "importance",
        importance_figure(kinds, losses, f"{title}: what the meta model relies on, known segments"),
    )
    if path is not None:
        chosen = model.quality.get("penalty", 0.0) if isinstance(model, LogisticMetaModel) else 0.0
        where = analysed.settings.dataset_train or analysed.settings.dataset
        about = f"L1-penalised logistic regression of IoU > 0 on {where}"
        yield (
            "lasso path",
            path_figure(list(model.feature_names), path.penalties, path.weights, chosen, about),
        )
    hit = known["iou"].to_numpy() > 0
    if 0 < hit.mean() < 1:
        yield "roc", roc_figure(_curves(analysed, hit), f"{title}: is the IoU above 0? known segments")
    parts, sizes = {}, {}
    for name, rows in (
        ("known segments", known),
        ("all segments", training_rows(analysed.table, strict=False)),
    ):
        parts[name] = rows["iou"].to_numpy(), model.predict(rows)
        sizes[name] = rows["S"].to_numpy(np.float64)
    yield "predicted over true", scatter_figure(parts, sizes, title)


def _curves(analysed: Analysed, hit: NDArray[np.bool_]) -> dict[str, tuple[Vector, Vector]]:
    model, known = analysed.model, analysed.known
    scores = {"predicted IoU": model.predict(known)}
    if model.classifies:
        scores = {"probability of IoU > 0": model.predict_positive(known), **scores}
    for name, column in SINGLE_METRICS.items():
        values = known[column].to_numpy(np.float64)
        scores[name] = values if column == "S" else -values
    return {f"{name}: {auroc(hit, score):.3f}": roc_points(hit, score) for name, score in scores.items()}


def _ratings(analysed: Analysed, workspace: Workspace) -> Iterator[tuple[str, Figure]]:
    """Name → rating picture of each chosen image."""
    settings, dataset, table = analysed.settings, analysed.dataset, analysed.table
    label_set = dataset.label_set
    if label_set is None or not (settings.images or settings.pictures):
        return
    for image in settings.images:
        if image not in dataset.ids:
            raise UnknownNameError(f"image of {settings.dataset}", image, dataset.ids)
    names = settings.model_name, settings.dataset
    chosen = settings.images or tuple(predicted_ids(workspace, names, dataset.ids)[: settings.pictures])
    for image in chosen:
        prediction = read_prediction(workspace, *names, image)
        rows = table[table["image_id"] == image]
        places = label_components(prediction.prediction)
        painted = {}
        for key, values in (("true", rows["iou"].to_numpy()), ("predicted", analysed.model.predict(rows))):
            ratings = np.full(int(places.max()) + 1, np.nan)
            ratings[rows["segment_id"].to_numpy()] = np.where(values >= 0, values, np.nan)
            painted[key] = ratings[places]
        truth = None if prediction.labels is None else (prediction.labels, _marked(label_set))
        yield (
            f"rating of {image}",
            rating_figure(
                None if truth is None else painted["true"],
                painted["predicted"],
                truth,
                (prediction.prediction, label_set.pred_mapping),
                f"{image}: segments rated by {settings.meta_model_name}",
            ),
        )


def _marked(label_set: LabelSet) -> ClassMapping:
    """The names of the classes, saying which are unknown to the network and which are void."""
    kinds = {
        **dict.fromkeys(label_set.unknown_ids, " (unknown)"),
        **dict.fromkeys(label_set.void_ids, " (void)"),
    }
    return {
        i: (name if name in kinds.get(i, "") else f"{name}{kinds.get(i, '')}", colour)
        for i, (name, colour) in label_set.label_mapping.items()
    }
