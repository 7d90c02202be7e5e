"""How good the segmentation is: IoU per class, and on both sides of a threshold of the predicted IoU."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import line_chart
from oodretrieval.evaluation import ConfusionMatrix, IouCurves, IouCurveSums
from oodretrieval.evaluation.confusion import class_iou, confusion_intervals, mean_iou, pixel_accuracy
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.labels import LabelSet, lookup_table
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import (
    Resampling,
    interval_words,
    result_folder,
    scene_notes,
    size_words,
    void_rule,
)
from oodretrieval.stages.evaluate.painted_iou import PaintedIou
from oodretrieval.stages.evaluate.seen import seen_by
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stores import Prediction

logger = logging.getLogger(__name__)
LISTED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds that the table of the curves has; the chart and the figures have a hundred."""


def eval_iou(settings: IouSettings, run: Run) -> dict[str, Any]:
    """IoU of every class over the pixels whose truth is a class of the network.

    Args:
        settings: What to judge.
        run: Configuration and workspace.

    Returns:
        ``mean_iou`` over the classes that occur, ``iou`` by class, ``pixel_accuracy``, ``intervals`` of these,
        ``images``; ``curves`` where a meta model is named; ``file``, the figures as JSON.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth of classes, or the meta model was fitted on all of its images.
    """
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset, label_set = work.dataset, work.require_classes()
    seen = seen_by(run, work, meta_models=[settings.meta_model_name])
    painted = PaintedIou(run, work, settings.meta_model_name) if settings.meta_model_name else None
    judged = _Judged(work, label_set, seen.others(dataset.ids), painted)
    resampling = Resampling.of(settings.evaluation.block, settings.evaluation.repetitions, dataset)
    figures = judged.figures(resampling)
    folder = result_folder(settings.evaluation.save_dir, run.workspace)
    stem = f"iou_{settings.model_name}_{settings.dataset}"
    pictures = {}
    if judged.curves is not None:
        pictures["Mean IoU above and below a threshold"] = _draw(
            folder / f"{stem}_curves.png", judged.curves, settings
        )
    tables = {"IoU by class": _class_table(figures)}
    if "categories" in figures:
        tables["IoU by category"] = _class_table(figures["categories"])
    if judged.curves is not None:
        tables["IoU above and below a threshold"] = _curve_table(judged.curves)
    context = Context(
        dataset=settings.dataset,
        split=split_of(run.configuration, settings.dataset),
        images=len(judged.images),
        void_rule=f"{void_rule(label_set)}; pixels of both are left out",
        resolution=size_words(judged.sizes),
        threshold="all from 0 to 1, none is chosen" if judged.curves is not None else "",
        intervals=resampling.words(len(judged.images)),
        meta_model=settings.meta_model_name,
        **model_context(run.configuration, settings.model_name),
    )
    title = f"Segmentation of {settings.dataset} by {settings.model_name}"
    notes = (*seen.notes, *scene_notes(dataset))
    result = Result(title, stem, context, flat(settings), figures, tables, notes, pictures)
    files = save_result(folder, result)
    return {**figures, "file": str(files[0]), "files": [str(path) for path in files]}


class _Judged:
    """Confusion of every image, and the curves of all of them."""

    def __init__(
        self,
        work: StoredWork,
        label_set: LabelSet,
        image_ids: Sequence[str],
        painted: PaintedIou | None,
    ) -> None:
        self.label_set = label_set
        self.sizes: set[tuple[int, ...]] = set()
        self.images = work.predicted(image_ids)
        sums = IouCurveSums(self.label_set.num_classes)
        self.classes: list[NDArray[np.int64]] = []
        self.categories: list[NDArray[np.int64]] = []
        for prediction in work.predictions(self.images, "IoU", with_truth=True):
            truth = prediction.truth()
            assert truth is not None  # with_truth
            self.sizes.add(truth.shape)
            self.classes.append(_confusion(prediction.prediction, truth, self.label_set.num_classes))
            self.categories.extend(_category_confusion(prediction, self.label_set))
            if painted is not None:
                sums.update(prediction.prediction, truth, painted.of(prediction))
        self.curves = None if painted is None else sums.curves()

    def figures(self, resampling: Resampling) -> dict[str, Any]:
        """Everything measured, as plain values."""
        names = [self.label_set.pred_mapping[i][0] for i in range(self.label_set.num_classes)]
        figures = {"images": len(self.images), **_iou_figures(self.classes, names, resampling)}
        if self.categories:
            figures["categories"] = _iou_figures(
                self.categories, list(self.label_set.category_mapping or ()), resampling
            )
        if self.curves is not None:
            figures["curves"] = {key: values.tolist() for key, values in vars(self.curves).items()}
        return figures


def _confusion(prediction: NDArray[Any], truth: NDArray[Any], classes: int) -> NDArray[np.int64]:
    matrix = ConfusionMatrix(classes)
    matrix.update(prediction, truth)
    return matrix.counts


def _category_confusion(prediction: Prediction, label_set: LabelSet) -> Iterator[NDArray[np.int64]]:
    """Confusion of categories, where the label set has them and they hold every class of the network."""
    categories = list((label_set.category_mapping or {}).values())
    true = {i: place for place, (labels, _) in enumerate(categories) for i in labels}
    predicted = {i: place for place, (_, classes) in enumerate(categories) for i in classes}
    if categories and prediction.labels is not None and len(predicted) == label_set.num_classes:
        table = lookup_table(true)
        truth = table[np.minimum(prediction.labels.astype(np.int64), len(table) - 1)]
        classes = lookup_table(predicted)
        of_pixels = classes[np.minimum(prediction.prediction, len(classes) - 1)]
        yield _confusion(of_pixels, truth, len(categories))


def _iou_figures(images: list[NDArray[np.int64]], names: list[str], resampling: Resampling) -> dict[str, Any]:
    counts = np.sum(images, axis=0)
    intervals = confusion_intervals(images, **asdict(resampling))
    intervals["iou"] = dict(zip(names, intervals["iou"], strict=True))
    return {
        "mean_iou": float(mean_iou(counts)),
        "pixel_accuracy": float(pixel_accuracy(counts)),
        "iou": dict(zip(names, map(float, class_iou(counts)), strict=True)),
        "intervals": intervals,
    }


def _class_table(figures: dict[str, Any]) -> pd.DataFrame:
    intervals = figures["intervals"]
    rows = {name: (value, interval_words(intervals["iou"][name])) for name, value in figures["iou"].items()}
    for name in ("mean_iou", "pixel_accuracy"):
        rows[name.replace("_", " ").replace("iou", "IoU")] = figures[name], interval_words(intervals[name])
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["IoU", "interval"])
    table.index.name = "class"
    return table


def _curve_table(curves: IouCurves) -> pd.DataFrame:
    rows = [int(np.flatnonzero(np.isclose(curves.thresholds, t))[0]) for t in LISTED]
    columns = {
        "mean IoU, predicted IoU >= t": curves.above[rows],
        "mean IoU, predicted IoU < t": curves.below[rows],
        "share of pixels >= t": curves.share_above[rows],
    }
    return pd.DataFrame(columns, index=pd.Index([f"{t:.1f}" for t in LISTED], name="t"))


def _draw(path: Path, curves: IouCurves, settings: IouSettings) -> Path:
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    t = curves.thresholds
    lines = {
        "mean IoU of the pixels in segments with predicted IoU ≥ t": (t, curves.above),
        "mean IoU of the pixels in segments with predicted IoU < t": (t, curves.below),
        "share of the pixels with predicted IoU ≥ t": (t, curves.share_above),
    }
    line_chart(axes, lines, ("threshold t of the predicted IoU", "mean IoU over the classes present; share"))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    figure.suptitle(f"{settings.dataset}, {settings.model_name}, {settings.meta_model_name}", fontsize=11)
    figure.savefig(path, dpi=120)
    return path
