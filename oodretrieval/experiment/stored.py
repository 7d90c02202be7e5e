"""What the workspace holds of a network on a dataset, checked against the configuration and the predictions."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from oodretrieval.experiment.inputs import dataset_in_use, provenance, require_current
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.stores import (
    CurrentSegments,
    PredictionRecord,
    Workspace,
    differing_settings,
    locate_segments,
    prediction_records,
)

logger = logging.getLogger(__name__)
_OTHER_THAN_INFERENCE = (
    *("model", "weights", "model_arguments", "dataset", "dataset_arguments"),
    *("keep", "source"),
)


def predictions_in_use(
    settings: CommonSettings, run: Run, names: tuple[str, str], images: Sequence[str]
) -> dict[str, PredictionRecord]:
    """What the predictions of images say of themselves, if they were made alike, and by what is configured now.

    Args:
        settings: ``root`` of the dataset.
        run: Configuration and workspace.
        names: Name of the network, name of the dataset.
        images: Ids of the images.

    Returns:
        Id → record, of those that have a prediction.

    Raises:
        StoreError: If they were made with different settings.
        SettingsMismatchError: If another network, other weights or another dataset made them.
    """
    records = prediction_records(run.workspace, *names, images)
    for record in list(records.values())[:1]:  # all are alike
        current = provenance(settings, run.configuration, *names)
        require_current(run.workspace.prediction_folder(*names), record.settings, current)
    return records


def recorded_provenance(
    settings: CommonSettings, run: Run, names: tuple[str, str], images: Sequence[str]
) -> dict[str, Any]:
    """What made these predictions, inference included; see :func:`predictions_in_use`."""
    records = predictions_in_use(settings, run, names, images)
    current = provenance(settings, run.configuration, *names)
    return next((dict(record.settings) for record in records.values()), current)


def current_segments(settings: CommonSettings, run: Run, names: tuple[str, str]) -> CurrentSegments:
    """The segments of a network on a dataset, as both and the predictions are now.

    Args:
        settings: ``root`` and ``limit`` of the dataset.
        run: Configuration and workspace.
        names: Name of the network, name of the dataset.

    Returns:
        Where they are; of the dataset's images only, in its order.

    Raises:
        StoreError: If there is no table, or predictions are newer than it.
        SettingsMismatchError: If it was made with another network, weights, dataset or other inference.
    """
    ids = dataset_in_use(settings, run.configuration, names[1]).ids
    found = locate_segments(run.workspace, *names, ids)
    require_current(
        run.workspace.segments_folder(*names), found.settings, provenance(settings, run.configuration, *names)
    )
    if found.missing:
        logger.warning(
            "%d predicted images have no segments, e.g. %s, and are left out; run scripts/%s.py with args.dataset=%s "
            "args.model_name=%s",
            len(found.missing),
            found.missing[0],
            "pred_images" if found.settings.get("keep") == "nothing" else "compute_metrics",
            *reversed(names),
        )
    return found


def segments_in_use(settings: CommonSettings, run: Run, names: tuple[str, str]) -> pd.DataFrame:
    """The table of :func:`current_segments`: one row per segment, in the order of the dataset's images."""
    return current_segments(settings, run, names).read()


def inference_of(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """How the network looked at the images, of what predictions record: what is not as it is by default."""
    return {key: value for key, value in recorded.items() if key not in _OTHER_THAN_INFERENCE}


def warn_of_other_inference(
    what: str, made_by: Mapping[str, Any], workspace: Workspace, names: tuple[str, str], images: Iterable[str]
) -> None:
    """Say that a model was fitted on predictions of a network that looked at its images in another way.

    It is not refused: whoever has no truth cannot fit one of their own. Nothing is said of the precision, nor of
    ``resize``, which brings images to the size that a network knows.

    Args:
        what: The model, for people.
        made_by: What it notes of its making; models of earlier versions were fitted with the defaults of inference.
        workspace: Where predictions lie.
        names: Name of the network, name of the dataset that the model is used on.
        images: Ids of its images; the first that has a prediction speaks for all, as they are made alike.
    """
    found = (prediction_records(workspace, *names, [image]) for image in images)
    here = next((inference_of(record.settings) for records in found for record in records.values()), None)
    if here is None:
        return
    differing = differing_settings(made_by.get("inference", {}), here)
    listed = [
        f"{key}: {was!r}, here {now!r}"
        for key, (was, now) in differing.items()
        if key not in ("mixed_precision", "resize")
    ]
    if listed:
        logger.warning(
            "%s was fitted on predictions made in another way than those of %r (%s); what it says of them may "
            "be off",
            what,
            names[1],
            "; ".join(listed),
        )
