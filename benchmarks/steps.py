"""The first stages on the miniature, with the options that most tests want."""

from typing import Any

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.fit.settings import TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings

CPU = {"gpu": -1}
NETWORK = {"model_name": "colour"}
META = {**NETWORK, "meta_model_name": "linear"}


def predict_and_measure(run: Run, *datasets: str, **options: Any) -> None:
    """Predictions and segment tables of datasets; ``options`` are of pred_images."""
    for dataset in datasets:
        pred_images(from_mapping(PredictSettings, {"dataset": dataset, **NETWORK, **CPU, **options}), run)
        compute_metrics(from_mapping(MetricsSettings, {"dataset": dataset, **NETWORK}), run)


def train_linear(run: Run, **options: Any) -> dict[str, Any]:
    """A linear meta model of ``train``, evaluated on ``val``."""
    settings = {"dataset": "train", "dataset_val": "val", **META, **CPU}
    return train_meta_nn(from_mapping(TrainMetaSettings, {**settings, **options}), run)


def fit_novelty(run: Run, **options: Any) -> dict[str, Any]:
    """A novelty model of ``train``."""
    settings = {"dataset": "train", **NETWORK, **CPU}
    return train_novelty(from_mapping(TrainNoveltySettings, {**settings, **options}), run)


def embed_settings(**options: Any) -> EmbedSettings:
    """A catalogue of ``val`` by predicted IoU."""
    settings = {
        "dataset": ("val",),
        "select_by": "predicted_iou",
        "iou_threshold": 0.9,
        "min_height": 4,
        "min_width": 4,
        "min_crop_height": 40,
        "min_crop_width": 40,
        "embedded": "crop",
        "crop_size": 0,
    }
    return from_mapping(EmbedSettings, {**settings, **META, **CPU, **options})


def embed(run: Run, **options: Any) -> dict[str, Any]:
    """What ``embed_settings`` say."""
    return compute_embeddings(embed_settings(**options), run)
