"""How good the segmentation is: IoU per class, and on both sides of a threshold of the predicted IoU."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.charts.saving import Picture
from oodretrieval.charts.segmentation import iou_curve_figure
from oodretrieval.evaluation import ClassMeasures, IouCurves, IouCurveSums
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.labels import LabelSet, looked_up, lookup_table
from oodretrieval.results.result import Result
from oodretrieval.results.rules import Resampling, size_words
from oodretrieval.results.tables import class_rows, interval_rows
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.seen_images import seen_by
from oodretrieval.stages.evaluate.segment_maps import SegmentMaps, predicted_iou_maps
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stores import Prediction

MEASURED = ("mean_iou", "pixel_accuracy", "iou")
LISTED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds that the table of the curves has; the chart and the saved result have a hundred."""


def eval_iou(settings: IouSettings, run: Run) -> dict[str, Any]:
    """IoU of every class over the pixels whose truth is a class of the network.

    Args:
        settings: What to evaluate.
        run: Configuration and workspace.

    Returns:
        ``mean_iou`` over the classes that occur, ``iou`` by class, ``pixel_accuracy``, ``intervals`` of these,
        ``images``; ``curves`` where a meta model is named; ``file``, all of this as JSON.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth of classes, or the meta model was fitted on all of its images.
        PartialFailure: If some predictions could not be read; all others are evaluated, and the result written.
    """
    evaluated = Evaluated.of(settings, run, "eval_iou", classes=True)
    work = evaluated.work
    seen = seen_by(run, work, meta_models=[settings.meta_model_name])
    images = work.predicted(seen.others(work.dataset.ids))
    maps = predicted_iou_maps(run, work, settings.meta_model_name) if settings.meta_model_name else None
    compared = _Compared(evaluated.label_set, maps)
    for prediction in evaluated.predictions(images, "IoU"):
        compared.add(prediction)
    measures, curves = compared.measures(evaluated.resampling), compared.curves
    tables = {"IoU by class": _class_table(measures)}
    if "categories" in measures:
        tables["IoU by category"] = _class_table(measures["categories"])
    if curves is not None:
        tables["IoU above and below a threshold"] = _curve_table(curves)
    result = Result(
        title=f"Segmentation of {settings.dataset} by {settings.model_name}",
        stem=f"iou_{settings.model_name}_{settings.dataset}",
        context=evaluated.context(
            compared.classes.images,
            size_words(compared.sizes),
            rule="pixels of both are left out",
            threshold="all from 0 to 1, none is chosen" if curves is not None else "",
            meta_model=settings.meta_model_name,
        ),
        settings=flat(settings),
        measures=measures,
        tables=tables,
        notes=(*seen.notes, *evaluated.scene_notes),
    )
    files = evaluated.save(result, _pictures(settings, curves))
    evaluated.require_all_read()
    return {**measures, "file": files[0], "files": files}


class _Compared:
    """Predictions next to the truth: classes, categories where the labels have them, and the curves.

    Args:
        label_set: What the labels mean.
        maps: Predicted IoU of every pixel's segment; None for no curves.
    """

    def __init__(self, label_set: LabelSet, maps: SegmentMaps | None) -> None:
        self.classes = ClassMeasures(label_set.class_names)
        self.sizes: set[tuple[int, ...]] = set()
        self._categories = _Categories.of(label_set)
        self._maps, self._sums = maps, IouCurveSums(label_set.num_classes)

    def add(self, prediction: Prediction) -> None:
        """Compare one image, which has truth."""
        truth = prediction.truth()
        assert truth is not None
        self.sizes.add(truth.shape)
        self.classes.update(prediction.prediction, truth)
        if self._categories is not None:
            self._categories.add(prediction)
        if self._maps is not None:
            self._sums.update(prediction.prediction, truth, self._maps.of(prediction))

    @property
    def curves(self) -> IouCurves | None:
        """On both sides of every threshold; None without predicted IoU."""
        return None if self._maps is None else self._sums.curves()

    def measures(self, resampling: Resampling) -> dict[str, Any]:
        """Everything measured, as plain values."""
        found = {"images": self.classes.images, **_measured(self.classes, resampling)}
        if self._categories is not None:
            found["categories"] = _measured(self._categories.measures, resampling)
        if self.curves is not None:
            found["curves"] = {key: values.tolist() for key, values in vars(self.curves).items()}
        return found


def _measured(classes: ClassMeasures, resampling: Resampling) -> dict[str, Any]:
    intervals = classes.intervals(**asdict(resampling), wanted=MEASURED)
    return {**classes.values(MEASURED), "intervals": intervals}


class _Categories:
    """IoU of categories, in which labels and classes of the network agree that do not agree one by one.

    Args:
        mapping: Name → label ids, predicted ids.
    """

    def __init__(self, mapping: Mapping[str, tuple[frozenset[int], frozenset[int]]]) -> None:
        self.measures = ClassMeasures(list(mapping))
        pairs = list(mapping.values())
        self._true = lookup_table({i: place for place, (labels, _) in enumerate(pairs) for i in labels})
        self._predicted = lookup_table({i: place for place, (_, ids) in enumerate(pairs) for i in ids})

    @classmethod
    def of(cls, label_set: LabelSet) -> "_Categories | None":
        """Those of the labels; None where there are none, or they do not hold every class of the network."""
        mapping = label_set.category_mapping or {}
        held = {i for _, ids in mapping.values() for i in ids}
        return cls(mapping) if mapping and len(held) == label_set.num_classes else None

    def add(self, prediction: Prediction) -> None:
        """Compare one image, which has truth."""
        labels = prediction.labels
        assert labels is not None
        predicted = looked_up(prediction.prediction, self._predicted)
        self.measures.update(predicted, looked_up(labels, self._true))


def _class_table(measures: dict[str, Any]) -> pd.DataFrame:
    classes = class_rows(measures, {"IoU": "iou"}).rename(columns={"IoU, interval": "interval"})
    overall = {"mean IoU": "mean_iou", "pixel accuracy": "pixel_accuracy"}
    return pd.concat([classes, interval_rows(measures, overall, "IoU")]).rename_axis("class")


def _curve_table(curves: IouCurves) -> pd.DataFrame:
    rows = [int(np.flatnonzero(np.isclose(curves.thresholds, t))[0]) for t in LISTED]
    columns = {
        "mean IoU, predicted IoU >= t": curves.above[rows],
        "mean IoU, predicted IoU < t": curves.below[rows],
        "share of pixels >= t": curves.share_above[rows],
    }
    return pd.DataFrame(columns, index=pd.Index([f"{t:.1f}" for t in LISTED], name="t"))


def _pictures(settings: IouSettings, curves: IouCurves | None) -> Iterator[Picture]:
    if curves is not None:
        title = f"{settings.dataset}, {settings.model_name}, {settings.meta_model_name}"
        caption = "Mean IoU above and below a threshold"
        yield Picture(caption, "curves", iou_curve_figure(curves, title))
