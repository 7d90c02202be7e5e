"""What is drawn of a meta model: charts of the analysis, and ratings of single images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.meta_models import (
    correlation_figure,
    importance_figure,
    path_figure,
    rating_figure,
    roc_figure,
    scatter_figure,
)
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.evaluation import auroc
from oodretrieval.evaluation.meta_analysis import roc_points
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.labels import ClassMapping, LabelSet
from oodretrieval.meta_models import LassoPath, LogisticMetaModel, MetaModel, training_rows
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings

SINGLE_METRICS = {"mean entropy": "E", "mean variation ratio": "V", "size": "S"}
LOSS, SPREAD, CORRELATION = "loss of R² without it", "deviation", "correlation with IoU"
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Analysed:
    """A meta model and the segments it is judged on.

    Attributes:
        settings: What is asked for.
        model: The trained model.
        work: Of which network on which images.
        table: All their segments, of images that no model has learned from.
        known: Segments with truth that are not mostly void or unknown.
        notes: On images that are left out.
    """

    settings: EvalMetaSettings
    model: MetaModel
    work: StoredWork
    table: pd.DataFrame
    known: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def dataset(self) -> SegmentationDataset:
        """The images that it is evaluated on."""
        return self.work.dataset

    @property
    def title(self) -> str:
        """Of every chart."""
        return f"{self.settings.meta_model_name} on {self.settings.dataset}"


def charts(
    analysed: Analysed,
    features: pd.DataFrame,
    kinds: Mapping[str, tuple[float, float]],
    path: LassoPath | None,
) -> Iterator[tuple[str, Figure]]:
    """The charts of the analysis.

    Args:
        analysed: Model and segments.
        features: A row for each metric, with its correlation and the loss of R² without it.
        kinds: Kind of metric → mean and deviation of the loss of R² without all of it.
        path: The lasso path, or None.

    Yields:
        Name and chart.
    """
    model, known, title = analysed.model, analysed.known, analysed.title
    values = features[CORRELATION].to_numpy()
    yield "correlations", correlation_figure(list(features.index), values, f"{title}: known segments")
    lost, spread = (features[column].tolist() for column in (LOSS, SPREAD))
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


def ratings(analysed: Analysed) -> Iterator[tuple[str, Figure]]:
    """True and predicted IoU of the segments of each chosen image, beside truth and prediction.

    Args:
        analysed: Model and segments.

    Yields:
        Name and picture.

    Raises:
        StoreError: If one has no prediction.
    """
    settings, table = analysed.settings, analysed.table
    label_set = analysed.dataset.label_set
    if label_set is None or not (settings.images or settings.pictures):
        return
    there = set(table["image_id"])
    images = [image for image in analysed.work.predicted() if image in there]
    chosen = settings.images or tuple(images[: settings.pictures])
    for prediction in analysed.work.predictions(chosen, "ratings"):
        image = prediction.image_id
        rows = table[table["image_id"] == image]
        places = prediction.components()
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
