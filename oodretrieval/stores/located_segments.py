"""Finding the segments of images on disk: rows that were computed from other predictions are never taken."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from oodretrieval.errors import SettingsMismatchError, StoreError
from oodretrieval.stores.current_segments import CurrentSegments
from oodretrieval.stores.made_alike import differing_settings
from oodretrieval.stores.predictions import PredictionRecord, read_prediction_record
from oodretrieval.stores.segments import Part, existing_parts
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace

logger = logging.getLogger(__name__)
Damaged = Callable[[StoreError], None]
"""Gets the error of each prediction that is damaged, which is left out."""


def _warn(error: StoreError) -> None:
    logger.warning("%s", error)


def readable_records(
    workspace: Workspace,
    stored: Stored,
    images: Iterable[str],
    damaged: Damaged = _warn,
) -> Iterator[tuple[str, PredictionRecord]]:
    """What each prediction that can be used says of itself.

    Args:
        workspace: Where they lie.
        stored: Whose: of which network on which dataset.
        images: Ids of the images; those without a prediction are left out.
        damaged: Gets the error of each that is damaged, which is left out.

    Yields:
        Id and record, in the order of ``images``.
    """
    for image in images:
        path = workspace.prediction_path(stored, image)
        if path.is_file():
            try:
                record = read_prediction_record(path)
            except StoreError as error:
                damaged(error)
            else:
                yield image, record


def prediction_records(
    workspace: Workspace, stored: Stored, images: Iterable[str], damaged: Damaged = _warn
) -> dict[str, PredictionRecord]:
    """What the predictions of images say of themselves; they must have been made alike.

    Args:
        workspace: Where they lie.
        stored: Whose: of which network on which dataset.
        images: Ids of the images; those without a prediction are left out, and so are damaged ones.
        damaged: Gets the error of each that is damaged; by default it is a warning.

    Returns:
        Id → record, in the order of ``images``; all have the same settings.

    Raises:
        StoreError: If they were made with different settings.
    """
    records: dict[str, PredictionRecord] = {}
    first, settings = "", None
    for image, record in readable_records(workspace, stored, images, damaged):
        if settings is None:
            first, settings = image, record.settings
        if record.settings != settings:
            differing = differing_settings(settings, record.settings)
            listed = "; ".join(f"{key}: {one!r} and {other!r}" for key, (one, other) in differing.items())
            raise StoreError(
                f"the predictions of {stored} were not made alike: {first!r} and {image!r} differ in "
                f"{listed}; predict all of them in the same way by scripts/pred_images.py with "
                f"{stored.arguments} args.overwrite=True"
            )
        records[image] = replace(record, settings=settings)  # one in memory, not one an image
    return records


def locate_segments(
    workspace: Workspace,
    stored: Stored,
    images: Sequence[str] | None = None,
    damaged: Damaged = _warn,
) -> CurrentSegments:
    """Find the segments that were computed from the predictions which are on disk now.

    An image whose prediction was removed keeps its segments.

    Args:
        workspace: Where tables and predictions lie.
        stored: Whose: of which network on which dataset.
        images: Ids of the images, in order; None for all that the table holds, in the order of its parts.
        damaged: Gets the error of each prediction that is damaged; by default it is a warning.

    Returns:
        Where they are.

    Raises:
        StoreError: If there is no table, a part is damaged, the predictions were not made alike, or images were
            predicted again after their segments were computed.
        SettingsMismatchError: If the segments were computed from predictions of other settings.
    """
    parts = existing_parts(workspace, stored)
    asked = list(images) if images is not None else [i for part in parts.values() for i in part.images]
    records = prediction_records(workspace, stored, asked, damaged)
    settings = next((record.settings for record in records.values()), None)
    holders: dict[str, list[Part]] = {}
    for part in parts.values():
        for image in part.images:
            holders.setdefault(image, []).append(part)
    places: dict[str, Part] = {}
    stale: dict[str, Part] = {}
    for image in dict.fromkeys(asked):
        fitting = [p for p in holders.get(image, []) if is_current(p, image, records.get(image), settings)]
        if fitting:
            places[image] = fitting[0]
            _require_one(image, fitting)
        elif image in holders:
            stale[image] = holders[image][-1]
        settings = places[image].settings if settings is None and image in places else settings
    if stale:
        raise _stale(stored, stale, settings or {})
    if not places:
        raise StoreError(
            f"no segments of {stored} in {str(workspace.segments_folder(stored))!r}; run "
            f"scripts/compute_metrics.py with {stored.arguments} first"
        )
    missing = [image for image in records if image not in places]
    digests = {image: part.images[image] for image, part in places.items()}
    return CurrentSegments(places, digests, next(iter(places.values())).settings, missing)


def is_current(
    part: Part, image: str, record: PredictionRecord | None, settings: Mapping[str, Any] | None
) -> bool:
    """Whether the segments of an image in a part are those of its prediction.

    Args:
        part: Holds some.
        image: Id of the image.
        record: What its prediction says of itself; None if it was removed.
        settings: Of all predictions; None if not one is there.

    Returns:
        True where they are.
    """
    if settings is not None and part.settings != settings:
        return False
    return record is None or part.images.get(image) == record.digest


def read_segments(
    workspace: Workspace,
    model: str,
    dataset: str,
    columns: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the segment table of a model on a dataset.

    Args:
        workspace: Where it lies.
        model: Name of the model's entry.
        dataset: Name of the dataset's entry.
        columns: Columns to read; None for all.
        images: Ids of the images to read, in order; None for all that the table holds. Those without segments are
            left out.

    Returns:
        One row per segment, numbered from 0.

    Raises:
        StoreError: See :func:`locate_segments`.
        SettingsMismatchError: If the segments were computed from predictions of other settings.
        TableError: If a column is missing.
    """
    return locate_segments(workspace, Stored(model, dataset), images).read(columns)


def read_segment_settings(
    workspace: Workspace, stored: Stored, images: Sequence[str] | None = None
) -> dict[str, Any]:
    """Settings of the predictions that a segment table was computed from; see :func:`locate_segments`.

    Args:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        images: Ids of the images; None for all that the table has.

    Returns:
        Name → value.
    """
    return dict(locate_segments(workspace, stored, images).settings)


def _require_one(image: str, fitting: Sequence[Part]) -> None:
    if len({part.images[image] for part in fitting}) > 1:
        raise StoreError(
            f"image {image!r} is in several parts of {fitting[0].path.parent}, and its prediction, which would say "
            "which one to take, is not there; predict it again"
        )


def _stale(stored: Stored, stale: Mapping[str, Part], settings: Mapping[str, Any]) -> StoreError:
    script = "pred_images" if settings.get("keep") == "nothing" else "compute_metrics"
    again = f"scripts/{script}.py with {stored.arguments}"
    image, part = next(iter(stale.items()))
    if differing := differing_settings(part.settings, settings):
        return SettingsMismatchError(part.path, differing, f"compute it again by {again} args.overwrite=True")
    return StoreError(
        f"{len(stale)} images of {stored.dataset!r}, e.g. {image!r}, were predicted again after their segments were "
        f"computed; run {again}"
    )
