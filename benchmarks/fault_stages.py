"""All stages that leave files, on the miniature, in an order in which each finds what it needs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from steps import CPU, META, NETWORK, embed_settings
from torch import Tensor, nn

from oodretrieval.entries import ModelEntry
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.results.tagged import CandidateRows, read_tags
from oodretrieval.stages.discover.discover_classes import discover_classes
from oodretrieval.stages.discover.find_similar import find_similar
from oodretrieval.stages.discover.search_classes import search_classes
from oodretrieval.stages.discover.settings import DiscoverClassesSettings, SearchSettings, SimilarSettings
from oodretrieval.stages.evaluate.discovery.eval_discovery import eval_discovery
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import (
    IouSettings,
    RetrievalSettings,
    SegmentationSettings,
)
from oodretrieval.stages.explain.explain import explain
from oodretrieval.stages.explain.settings import ExplainSettings
from oodretrieval.stages.export.export import export
from oodretrieval.stages.export.settings import ExportSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.merge_catalogues import merge_catalogues
from oodretrieval.stages.select.settings import EmbedSettings, MergeSettings
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Catalogue
from oodretrieval.stores.tag_journal import TagJournal

Stages = dict[str, Callable[[Run], Any]]
Kind = TypeVar("Kind")

DATA = {"dataset": "val"}
EVALUATED = {**DATA, **META, "repetitions": 2}
TRAINED = "trained.safetensors"
OBJECTS = {**DATA, **NETWORK, **CPU, "dataset": ("val",), "candidates": "objects", "save_file": "objects"}


class OneLayer(nn.Module):
    """A network that is trained in no time."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, num_classes, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` → ``(N, C, H, W)``."""
        logits: Tensor = self.layer(images)
        return logits


def with_trained_network(configuration: Configuration) -> Configuration:
    """The same, with a network whose weights are trained into the workspace."""
    weights = Path(configuration.workspace) / TRAINED
    entry = ModelEntry(__name__, "OneLayer", {"num_classes": 9}, weights=weights)
    return replace(configuration, models={**configuration.models, "trained": entry})


def first_stages() -> Stages:
    """Prediction, metrics, a meta model and its evaluation, which take no time at all."""
    meta = {"dataset": "train", "dataset_val": "val", "repetitions": 2, "num_cores": 0}
    return {
        "pred_images train": _of(pred_images, PredictSettings, {"dataset": "train", **NETWORK, **CPU}),
        "pred_images val": _of(pred_images, PredictSettings, {**DATA, **NETWORK, **CPU}),
        "compute_metrics train": _of(compute_metrics, MetricsSettings, {"dataset": "train", **NETWORK}),
        "compute_metrics val": _of(compute_metrics, MetricsSettings, {**DATA, **NETWORK}),
        "train_meta_nn": _of(train_meta_nn, TrainMetaSettings, {**META, **CPU, **meta}),
        "eval_iou": _of(eval_iou, IouSettings, {**DATA, **NETWORK, "repetitions": 2}),
    }


def further_stages() -> Stages:
    """All that can follow."""
    fitted = {"dataset": "train", **NETWORK, **CPU}
    training = {"dataset": "train", "dataset_val": "val", "model_name": "trained", **CPU, "batch_size": 2}
    training |= {"crop_height": 32, "crop_width": 48, "epochs": 2, "learning_rate": 0.05}
    catalogue = {"embeddings_file": "val"}
    selected = {"select_by": "predicted_iou", "min_pixels": 20, "min_height": 6, "min_width": 6}
    objects = {**OBJECTS, "min_height": 2, "min_width": 2, "select_quantile": 0.5}
    merged = {"catalogues": ("val", "more"), "save_file": "merged"}
    inspected = {**DATA, **NETWORK, **CPU, "dataset": ("val",), "repetitions": 2, "looks": 4, "seeds": 2}
    return {
        "compute_logit_statistics": _of(compute_logit_statistics, LogitStatisticsSettings, fitted),
        "train_novelty": _of(train_novelty, TrainNoveltySettings, fitted),
        "compute_embeddings": lambda run: compute_embeddings(embed_settings(), run),
        "compute_embeddings more": lambda run: compute_embeddings(
            embed_settings(dataset=("train",), save_file="more"), run
        ),
        "compute_embeddings objects": _of(compute_embeddings, EmbedSettings, objects),
        "merge_catalogues": _of(merge_catalogues, MergeSettings, merged),
        "eval_segmentation": _of(
            eval_segmentation, SegmentationSettings, {**DATA, **NETWORK, "repetitions": 2}
        ),
        "eval_ood": _of(eval_ood, OodSettings, {**EVALUATED, "dataset_val": "train", "pictures": 0}),
        "eval_selection": _of(eval_selection, SelectionSettings, {**EVALUATED, **selected}),
        "eval_meta": _of(eval_meta, EvalMetaSettings, {**EVALUATED, "pictures": 0, "permutations": 1}),
        "eval_retrieval": _of(eval_retrieval, RetrievalSettings, {**catalogue, "repetitions": 2}),
        "search_classes": _of(search_classes, SearchSettings, DATA),
        "discover_classes": _of(
            discover_classes, DiscoverClassesSettings, {**catalogue, "clusters": 2, "classes": 1}
        ),
        "find_similar": _of(find_similar, SimilarSettings, {**catalogue, "candidates": (0,), "number": 3}),
        "eval_discovery": _of(eval_discovery, DiscoverySettings, inspected),
        "tag": tag,
        "export": _of(export, ExportSettings, catalogue),
        "explain": _of(explain, ExplainSettings, {**DATA, **NETWORK, **CPU, "number": 1}),
        "report": _of(report, ReportSettings, {**DATA, **META, "min_pixels": 30, "segments": 2}),
        "train_segmentation": _of(train_segmentation, TrainSegmentationSettings, training),
    }


def tag(run: Run) -> None:
    """What a person does in the explorer: two tags, each given to candidates of the catalogue that have none yet."""
    catalogue = Catalogue.named(run.workspace, "val")
    journal, table = TagJournal(catalogue.path), read_tags(catalogue)
    for name, rows in (("bin", [0, 1]), ("tram", [2])):
        step = table.tagging(CandidateRows(catalogue).keys(rows), name, "#0072B2")
        if not step.is_empty:
            for taken in journal.append(step):
                table.apply(taken)


def without_logits() -> Stages:
    """Prediction that measures at once and keeps no logits."""
    settings = {**DATA, **NETWORK, **CPU, "keep": "nothing"}
    return {"pred_images keep=nothing": _of(pred_images, PredictSettings, settings)}


def _of(
    stage: Callable[[Kind, Run], Any], kind: type[Kind], settings: dict[str, Any]
) -> Callable[[Run], Any]:
    chosen = from_mapping(kind, settings)
    return lambda run: stage(chosen, run)
