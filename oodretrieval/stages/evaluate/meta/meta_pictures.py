"""What is drawn of a meta model: charts of the analysis, and ratings of single images."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.meta_models import (
    correlation_figure,
    importance_figure,
    path_figure,
    rating_figure,
    roc_figure,
    scatter_figure,
)
from oodretrieval.charts.saving import Picture
from oodretrieval.evaluation import auroc
from oodretrieval.evaluation.meta_analysis import roc_points
from oodretrieval.labels import ClassMapping, LabelSet
from oodretrieval.meta_models import LassoPath, LogisticMetaModel, training_rows
from oodretrieval.segments import paint_segments
from oodretrieval.stages.evaluate.meta.analysed import (
    CORRELATION,
    LOSS,
    POSITIVE,
    PREDICTED,
    SPREAD,
    Analysed,
    Losses,
)

SINGLE_METRICS = {"mean entropy": "E", "mean variation ratio": "V", "size": "S"}
Vector = NDArray[np.float64]


def analysis_pictures(
    analysed: Analysed, features: pd.DataFrame, kinds: Losses, path: LassoPath | None
) -> Iterator[Picture]:
    """The charts of the analysis.

    Args:
        analysed: Model and segments.
        features: A row for each metric, with its correlation and the loss of R² without it.
        kinds: Kind of metric → loss of R² without all of it.
        path: The lasso path, or None.

    Yields:
        One chart after the other, its name as caption.
    """
    model, known, title = analysed.model, analysed.known, analysed.title
    values = features[CORRELATION].to_numpy()
    chart = correlation_figure(list(features.index), values, f"{title}: known segments")
    yield Picture("correlations", "correlations", chart)
    chart = importance_figure(
        kinds, _losses(features), f"{title}: what the meta model relies on, known segments"
    )
    yield Picture("importance", "importance", chart)
    if path is not None:
        chosen = model.quality.get("penalty", 0.0) if isinstance(model, LogisticMetaModel) else 0.0
        where = analysed.settings.dataset_train or analysed.settings.dataset
        about = f"L1-penalised logistic regression of IoU > 0 on {where}"
        chart = path_figure(list(model.feature_names), path.penalties, path.weights, chosen, about)
        yield Picture("lasso path", "lasso path", chart)
    hit = known["iou"].to_numpy() > 0
    if 0 < hit.mean() < 1:
        chart = roc_figure(_curves(analysed, hit), f"{title}: is the IoU above 0? known segments")
        yield Picture("roc", "roc", chart)
    parts, sizes = {}, {}
    everything = training_rows(analysed.table, strict=False)
    for name, rows in (("known segments", known), ("all segments", everything)):
        parts[name] = rows["iou"].to_numpy(), analysed.predictions(rows)
        sizes[name] = rows["S"].to_numpy(np.float64)
    yield Picture("predicted over true", "predicted over true", scatter_figure(parts, sizes, title))


def _losses(features: pd.DataFrame) -> Mapping[str, tuple[float, float]]:
    pairs = zip(features[LOSS].tolist(), features[SPREAD].tolist(), strict=True)
    return dict(zip(map(str, features.index), pairs, strict=True))


def _curves(analysed: Analysed, hit: NDArray[np.bool_]) -> dict[str, tuple[Vector, Vector]]:
    model, known = analysed.model, analysed.known
    scores = {PREDICTED: analysed.predictions(known)}
    if model.classifies:
        scores = {POSITIVE: analysed.predictions(known, POSITIVE), **scores}
    for name, column in SINGLE_METRICS.items():
        values = known[column].to_numpy(np.float64)
        scores[name] = values if column == "S" else -values
    return {f"{name}: {auroc(hit, score):.3f}": roc_points(hit, score) for name, score in scores.items()}


def rating_pictures(analysed: Analysed) -> Iterator[Picture]:
    """True and predicted IoU of the segments of each chosen image, next to truth and prediction.

    Args:
        analysed: Model and segments.

    Yields:
        One picture an image.

    Raises:
        SettingsMismatchError: If a prediction was made with other settings.
    """
    settings, table, evaluated = analysed.settings, analysed.table, analysed.evaluated
    if not (settings.images or settings.pictures):
        return
    there = set(table["image_id"])
    images = [image for image in evaluated.work.predicted() if image in there]
    chosen = settings.images or tuple(images[: settings.pictures])
    label_set = evaluated.label_set
    for prediction in evaluated.predictions(chosen, "ratings", with_truth=False):
        image, components = prediction.image_id, prediction.components()
        rows = table[table["image_id"] == image]
        true, predicted = (
            paint_segments(components, rows["segment_id"], np.where(values >= 0, values, np.nan))
            for values in (rows["iou"].to_numpy(), analysed.predictions(rows))
        )
        truth = None if prediction.labels is None else (prediction.labels, _marked(label_set))
        figure = rating_figure(
            None if truth is None else true,
            predicted,
            truth,
            (prediction.prediction, label_set.pred_mapping),
            f"{image}: segments rated by {settings.meta_model_name}",
        )
        yield Picture(f"rating of {image}", f"rating of {image}", figure)


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
