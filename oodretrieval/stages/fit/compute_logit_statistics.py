"""What the standardised maximum logit needs to know: a network's largest logits on its training images."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import PartialFailure, StoreError
from oodretrieval.evaluation import LogitStatistics, LogitStatisticsSums
from oodretrieval.evaluation.ood_components import KNOWN
from oodretrieval.experiment.fitted_images import LEFT_OUT
from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.sealed_arrays import UNREADABLE, read_arrays, write_arrays
from oodretrieval.stages.fit.settings import LogitStatisticsSettings
from oodretrieval.stores import (
    Prediction,
    Workspace,
    images_key,
    require_same_settings,
)

logger = logging.getLogger(__name__)
SUFFIX = ".logits.safetensors"


def compute_logit_statistics(settings: LogitStatisticsSettings, run: Run) -> dict[str, Any]:
    """Mean and standard deviation of the largest logit, by predicted class, over the known pixels.

    Pixels of void and of unknown things are left out: nobody could name them in use.

    Args:
        settings: Which network.
        run: Configuration and workspace.

    Returns:
        ``path``, and ``mean``, ``std`` and ``pixels`` by class.

    Raises:
        StoreError: If there is no prediction, or it kept no logits.
        TableError: If the dataset has no truth of classes.
        SettingsMismatchError: If the file exists and was made with other settings.
        PartialFailure: If some predictions cannot be read: all others are counted, and the next run tries again.
        AllFailedError: If none can be read.
    """
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    label_set = work.require_classes()
    path = (
        Path(settings.save_file) if settings.save_file else _in_workspace(run.workspace, settings.model_name)
    )
    images = work.predicted()
    records = work.records(images)
    made_by = {
        **{key: flat(settings)[key] for key in ("model_name", "dataset", "limit")},
        "weights": run.weights_hash(settings.model_name),
        "images": images_key({image: record.digest for image, record in records.items()}),
        "inference": next((inference_of(record.settings) for record in records.values()), {}),
    }
    failures: dict[str, str] = {}
    statistics = None if settings.common.overwrite else _whole(path, made_by)
    if statistics is None:
        statistics = _gather(work, images, failures)
        _write(path, statistics, made_by | ({LEFT_OUT: list(failures)} if failures else {}))
        logger.info("saved %s", path)
    else:
        logger.info("%s is there already; args.overwrite=True computes it again", path)
    classes = label_set.class_names
    measures = {
        key: dict(zip(classes, getattr(statistics, key).tolist(), strict=True))
        for key in ("mean", "std", "pixels")
    }
    logger.info("%-20s %10s %10s %12s", "largest logit of", "mean", "std", "pixels")
    for name in classes:
        logger.info("%-20s %10.3f %10.3f %12d", name, *(values[name] for values in measures.values()))
    if failures:
        raise PartialFailure("compute_logit_statistics", failures)
    return {"path": str(path), **measures}


def _whole(path: Path, made_by: dict[str, Any]) -> LogitStatistics | None:
    """The statistics that are there; None where there are none, or images were left out of them."""
    if not path.is_file():
        return None
    recorded, statistics = _read(path)
    left_out = recorded.pop(LEFT_OUT, None)
    if left_out:  # with them, the images are others
        made_by = {**made_by, "images": recorded["images"]}
    require_same_settings(path, recorded, made_by)
    return None if left_out else statistics


def _gather(work: StoredWork, images: Sequence[str], failures: dict[str, str]) -> LogitStatistics:
    """The statistics of all predictions that can be read; the others go to ``failures``."""
    sums: LogitStatisticsSums | None = None
    for prediction in work.predictions(images, "logits", with_truth=True, failures=failures):
        sums = sums or LogitStatisticsSums(prediction.num_classes)
        known = np.asarray(prediction.unknown()) == KNOWN
        sums.update(require_logits(prediction, "logit statistics"), known)
    if sums is None:  # as with_truth raises where there is no truth
        raise work.all_failed("compute_logit_statistics", failures)
    return sums.statistics()


def require_logits(prediction: Prediction, purpose: str) -> NDArray[np.float32]:
    """The logits of a prediction at full size.

    Args:
        prediction: Of one image.
        purpose: What needs them, for the message.

    Returns:
        ``(H, W, C)``.

    Raises:
        StoreError: If they were not kept.
    """
    logits = prediction.full_logits()
    if logits is None:
        raise StoreError(
            f"the prediction of {prediction.image_id!r} keeps no logits, which {purpose} need; "
            "predict again with args.keep=logits args.overwrite=True"
        )
    return logits


def find_logit_statistics(run: Run, model_name: str) -> LogitStatistics | None:
    """The statistics of a network, from the workspace or else from the folder of its weights.

    Args:
        run: Configuration and workspace.
        model_name: Name of the segmentation network.

    Returns:
        The statistics; None if they were never computed.

    Raises:
        StoreError: If the file is damaged, or of other weights than the network has now.
    """
    entry = run.configuration.model(model_name)
    candidates = [_in_workspace(run.workspace, model_name)]
    if entry.weights is not None:
        candidates.append(Path(entry.weights).with_suffix(SUFFIX))
    for path in candidates:
        if path.is_file():
            made_by, statistics = _read(path)
            weights = run.weights_hash(model_name)
            if weights and made_by.get("weights") != weights:
                raise StoreError(
                    f"{path} is of other weights than {model_name!r} has now; compute it again with "
                    + run.command("compute_logit_statistics", model_name=model_name, overwrite=True)
                )
            return statistics
    return None


def _in_workspace(workspace: Workspace, model_name: str) -> Path:
    return workspace.logit_statistics_folder / f"{model_name}{SUFFIX}"


def _write(path: Path, statistics: LogitStatistics, made_by: dict[str, Any]) -> None:
    arrays = {name: getattr(statistics, name) for name in ("mean", "std", "pixels")}
    write_arrays(path, arrays, {"made_by": json.dumps(made_by)})


def _read(path: Path) -> tuple[dict[str, Any], LogitStatistics]:
    try:
        description, arrays = read_arrays(path)
        made_by = json.loads(description["made_by"])
        return made_by, LogitStatistics(*(arrays[name] for name in ("mean", "std", "pixels")))
    except (*UNREADABLE, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} is damaged ({error}); run scripts/compute_logit_statistics.py again with args.overwrite=True"
        ) from error
