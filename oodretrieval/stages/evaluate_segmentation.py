"""How good the segmentation is, by stored predictions: figures of every class, and of the background."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from oodretrieval.errors import TableError
from oodretrieval.evaluation import SegmentationQuality
from oodretrieval.labels import LabelSet
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.inputs import dataset_in_use, predicted_ids, provenance, require_current
from oodretrieval.stages.results import Context, Result, model_context, save_result, split_of
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Prediction, Workspace, read_prediction

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


@dataclass(frozen=True)
class SegmentationSettings(CommonSettings):
    """Which predictions to judge.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        save_dir: Folder for the tables; by default ``evaluation`` in the workspace.
    """

    dataset: str = ""
    model_name: str = ""
    save_dir: str = ""


def evaluate_segmentation(
    settings: SegmentationSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Compare stored predictions with the truth.

    Args:
        settings: What to judge.
        configuration: Where names are looked up.
        workspace: Where predictions are read.

    Returns:
        Figures as of :class:`~oodretrieval.evaluation.SegmentationQuality`, and the ``files`` they are in.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth.
    """
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    if dataset.label_set is None:
        raise TableError(
            f"dataset {settings.dataset!r} has no truth; a segmentation is judged on datasets with truth"
        )
    quality = SegmentationQuality(dataset.label_set)
    names = settings.model_name, settings.dataset
    current = provenance(settings, configuration, *names)
    for image_id in tqdm(predicted_ids(workspace, names, dataset.ids), "judging", unit="image", disable=None):
        prediction = read_prediction(workspace, *names, image_id)
        require_current(f"the prediction of {image_id}", prediction.settings, current)
        if prediction.labels is not None:
            logits = None if quality.background is None else _logits(prediction)
            quality.update(prediction.prediction, prediction.labels, logits)
    figures = quality.figures()
    context = Context(
        dataset=settings.dataset,
        split=split_of(configuration, settings.dataset),
        images=quality.images,
        void_rule=_void_rule(dataset.label_set),
        resolution="full size of the images",
        **model_context(configuration, settings.model_name),
    )
    result = Result(
        title="Segmentation",
        stem=f"segmentation_{settings.model_name}_{settings.dataset}",
        context=context,
        settings=asdict(settings),
        figures=figures,
        tables={"Overall": _overall(figures), "Per class": _per_class(figures)},
    )
    folder = Path(settings.save_dir) if settings.save_dir else workspace.path / "evaluation"
    return {**figures, "files": [str(path) for path in save_result(folder, result)]}


def _logits(prediction: Prediction) -> NDArray[np.floating] | None:
    """Logits ``(C, H, W)`` of a prediction, or their equal up to a constant; None where neither they were kept."""
    full = prediction.full_logits()
    if full is None and prediction.softmax is not None:
        full = np.log(np.maximum(prediction.softmax, np.finfo(np.float32).tiny))
    return None if full is None else np.moveaxis(full, -1, 0)


def _void_rule(label_set: LabelSet) -> str:
    def named(ids: frozenset[int]) -> str:
        return ", ".join(sorted(label_set.label_name(i) for i in ids)) or "none"

    rule = (
        f"void ({named(label_set.void_ids)}) and unknown ({named(label_set.unknown_ids)}) are left out of IoU, "
        "Dice and accuracy"
    )
    if label_set.background_id is None:
        return rule
    background = frozenset(i for i, p in label_set.label_to_pred.items() if p == label_set.background_id)
    return f"{rule}; background is {named(background)}; non-distinctiveness leaves out void only"


def _overall(figures: dict[str, Any]) -> pd.DataFrame:
    rows = {title: figures[key] for key, title in OVERALL.items() if key in figures}
    return pd.DataFrame({"value": list(rows.values())}, index=pd.Index(list(rows), name="figure"))


def _per_class(figures: dict[str, Any]) -> pd.DataFrame:
    columns = {title: pd.Series(figures[key], dtype=float) for key, title in PER_CLASS.items()}
    return pd.DataFrame(columns).rename_axis("class")
