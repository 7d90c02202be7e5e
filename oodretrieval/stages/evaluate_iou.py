"""How good the segmentation is: IoU per class, from the stored predictions."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from oodretrieval.errors import TableError
from oodretrieval.evaluation import ConfusionMatrix
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.inputs import dataset_in_use, predicted_ids, provenance, require_current
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Workspace, read_prediction, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IouSettings(CommonSettings):
    """Which predictions to judge.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        save_dir: Folder for the table; by default ``evaluation`` in the workspace.
    """

    dataset: str = ""
    model_name: str = ""
    save_dir: str = ""


def evaluate_iou(settings: IouSettings, configuration: Configuration, workspace: Workspace) -> dict[str, Any]:
    """IoU of every class over the pixels whose truth is a class of the network.

    Args:
        settings: What to judge.
        configuration: Where names are looked up.
        workspace: Where predictions are read.

    Returns:
        ``mean_iou`` over the classes that occur, ``iou`` by class, ``pixel_accuracy`` and ``images``.

    Raises:
        StoreError: If no image has a prediction yet; those without are left out with a warning.
        SettingsMismatchError: If a prediction was made with another network, weights or dataset.
        TableError: If the dataset has no truth.
    """
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    if dataset.label_set is None:
        raise TableError(f"dataset {settings.dataset!r} has no truth; IoU is measured on datasets with truth")
    classes = dataset.label_set.pred_mapping
    matrix = ConfusionMatrix(len(classes))
    names = settings.model_name, settings.dataset
    current = provenance(settings, configuration, *names)
    predicted = predicted_ids(workspace, names, dataset.ids)
    for image_id in tqdm(predicted, desc="IoU", unit="image", disable=None):
        prediction = read_prediction(workspace, *names, image_id)
        require_current(f"the prediction of {image_id}", prediction.settings, current)
        truth = prediction.truth()
        if truth is not None:
            matrix.update(prediction.prediction, truth)
    figures: dict[str, Any] = {
        "images": len(predicted),
        "mean_iou": matrix.mean_iou(),
        "pixel_accuracy": matrix.pixel_accuracy(),
        "iou": {classes[i][0]: float(value) for i, value in enumerate(matrix.iou())},
    }
    folder = Path(settings.save_dir) if settings.save_dir else workspace.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iou_{settings.model_name}_{settings.dataset}.json"
    write_json(path, {"settings": asdict(settings), "figures": figures})
    for name, value in figures["iou"].items():
        logger.info("%-20s %.4f", name, value)
    logger.info("%-20s %.4f", "mean IoU", figures["mean_iou"])
    logger.info(
        "%-20s %.4f  (%d images; saved %s)", "pixel accuracy", figures["pixel_accuracy"], len(predicted), path
    )
    return {**figures, "file": str(path)}
