"""How good the segmentation is, by stored predictions: measures of every class, and of the background."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation import SegmentationQuality
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.labels import LabelSet
from oodretrieval.results.result import Result
from oodretrieval.results.rules import size_words
from oodretrieval.results.tables import class_rows, interval_rows
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.settings import SegmentationSettings
from oodretrieval.stores import Prediction

PER_CLASS = {"IoU": "iou", "Dice": "dice", "accuracy": "accuracy"}
OVERALL = {
    "mean IoU": "mean_iou",
    "frequency-weighted IoU": "frequency_weighted_iou",
    "mean Dice": "mean_dice",
    "mean accuracy": "mean_accuracy",
    "pixel accuracy": "pixel_accuracy",
    "expected non-distinctiveness, mode 1": "non_distinctiveness_1",
    "expected non-distinctiveness, mode 2": "non_distinctiveness_2",
    "pixel AUROC of background": "auroc_background",
    "pixel AUROC of unknown, by background": "auroc_unknown",
}


def eval_segmentation(settings: SegmentationSettings, run: Run) -> dict[str, Any]:
    """Compare stored predictions with the truth.

    Args:
        settings: What to evaluate.
        run: Configuration and workspace.

    Returns:
        What :class:`~oodretrieval.evaluation.SegmentationQuality` measures, ``intervals`` of it, and the ``files``
        written.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth of classes.
        PartialFailure: If some predictions could not be read; all others are evaluated, and the result written.
    """
    evaluated = Evaluated.of(settings, run, "eval_segmentation", classes=True)
    label_set = evaluated.label_set
    quality, sizes = _compared(evaluated)
    measures = {**quality.measures(), "intervals": quality.intervals(**asdict(evaluated.resampling))}
    result = Result(
        title=f"Segmentation of {settings.dataset} by {settings.model_name}, every measure",
        stem=f"segmentation_{settings.model_name}_{settings.dataset}",
        context=evaluated.context(quality.images, size_words(sizes), rule=_rule(label_set)),
        settings=flat(settings),
        measures=measures,
        tables={
            "All classes": interval_rows(measures, OVERALL).rename_axis("measure"),
            "Every class": class_rows(measures, PER_CLASS),
        },
        notes=evaluated.scene_notes,
    )
    files = evaluated.save(result)
    evaluated.require_all_read()
    return {**measures, "files": files}


def _compared(evaluated: Evaluated) -> tuple[SegmentationQuality, set[tuple[int, ...]]]:
    """What the predictions are worth, and their sizes."""
    quality, sizes = SegmentationQuality(evaluated.label_set), set()
    for prediction in evaluated.predictions(evaluated.work.predicted(), "segmentation"):
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
    rule = "IoU, Dice and accuracy leave out both"
    if label_set.background_id is None:
        return rule
    behind = [i for i, p in sorted(label_set.label_to_pred.items()) if p == label_set.background_id]
    names = ", ".join(label_set.label_name(i) for i in behind)
    return f"{rule}, non-distinctiveness void only; background: {names}"
