"""How good the segmentation is, by stored predictions: figures of every class, and of the background."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.evaluation import SegmentationQuality
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.labels import LabelSet
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import (
    Resampling,
    interval_words,
    result_folder,
    scene_notes,
    size_words,
    void_rule,
)
from oodretrieval.stages.evaluate.settings import SegmentationSettings
from oodretrieval.stores import Prediction

PER_CLASS = {"iou": "IoU", "dice": "Dice", "accuracy": "accuracy"}
OVERALL = {
    "mean_iou": "mean IoU",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_dice": "mean Dice",
    "mean_accuracy": "mean accuracy",
    "pixel_accuracy": "pixel accuracy",
    "non_distinctiveness_1": "expected non-distinctiveness, mode 1",
    "non_distinctiveness_2": "expected non-distinctiveness, mode 2",
    "auroc_background": "pixel AUROC of background",
    "auroc_unknown": "pixel AUROC of unknown, by background",
}


def eval_segmentation(settings: SegmentationSettings, run: Run) -> dict[str, Any]:
    """Compare stored predictions with the truth.

    Args:
        settings: What to judge.
        run: Configuration and workspace.

    Returns:
        Figures of :class:`~oodretrieval.evaluation.SegmentationQuality`, their ``intervals``, and the ``files`` they
        are in.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth of classes.
    """
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    dataset, label_set = work.dataset, work.require_classes()
    quality, sizes = _judged(work, label_set)
    resampling = Resampling.of(settings.evaluation.block, settings.evaluation.repetitions, dataset)
    figures = {**quality.figures(), "intervals": quality.intervals(**asdict(resampling))}
    context = Context(
        dataset=settings.dataset,
        split=split_of(run.configuration, settings.dataset),
        images=quality.images,
        void_rule=_rule(label_set),
        resolution=size_words(sizes),
        intervals=resampling.words(quality.images),
        **model_context(run.configuration, settings.model_name),
    )
    result = Result(
        title=f"Segmentation of {settings.dataset} by {settings.model_name}, every figure",
        stem=f"segmentation_{settings.model_name}_{settings.dataset}",
        context=context,
        settings=flat(settings),
        figures=figures,
        tables={"All classes": _overall(figures), "Every class": _per_class(figures)},
        notes=scene_notes(dataset),
    )
    files = save_result(result_folder(settings.evaluation.save_dir, run.workspace), result)
    return {**figures, "files": [str(path) for path in files]}


def _judged(work: StoredWork, label_set: LabelSet) -> tuple[SegmentationQuality, set[tuple[int, ...]]]:
    """What the predictions are worth, and their sizes."""
    quality, sizes = SegmentationQuality(label_set), set()
    for prediction in work.predictions(work.predicted(), "segmentation", with_truth=True):
        assert prediction.labels is not None  # with_truth
        logits = None if quality.background is None else _logits(prediction)
        quality.update(prediction.prediction, prediction.labels, logits)
        sizes.add(prediction.labels.shape)
    return quality, sizes


def _logits(prediction: Prediction) -> NDArray[np.floating] | None:
    """Logits ``(C, H, W)``, or log-probabilities where only the softmax was kept; None where neither was."""
    full = prediction.log_probabilities()
    return None if full is None else np.moveaxis(full, -1, 0)


def _rule(label_set: LabelSet) -> str:
    rule = f"{void_rule(label_set)}; IoU, Dice and accuracy leave out both"
    if label_set.background_id is None:
        return rule
    behind = [i for i, p in sorted(label_set.label_to_pred.items()) if p == label_set.background_id]
    names = ", ".join(label_set.label_name(i) for i in behind)
    return f"{rule}, non-distinctiveness void only; background: {names}"


def _overall(figures: dict[str, Any]) -> pd.DataFrame:
    rows = {
        title: (figures[key], interval_words(figures["intervals"][key]))
        for key, title in OVERALL.items()
        if key in figures
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "interval"])
    return table.rename_axis("figure")


def _per_class(figures: dict[str, Any]) -> pd.DataFrame:
    columns: dict[str, dict[str, Any]] = {}
    for key, title in PER_CLASS.items():
        columns[title] = figures[key]
        ends = figures["intervals"][key]
        columns[f"{title}, interval"] = {name: interval_words(pair) for name, pair in ends.items()}
    return pd.DataFrame(columns).rename_axis("class")
