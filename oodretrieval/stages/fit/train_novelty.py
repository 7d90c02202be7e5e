"""Fit the novelty score of a network on segments of images with truth, none of them unknown."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.errors import PartialFailure, WeightsError
from oodretrieval.experiment.device import stage_device
from oodretrieval.experiment.fitted_images import FITTED_ON, LEFT_OUT, SAMPLE, fitted_on, sample_note
from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.meta_models import num_classes_of, sample_of_images
from oodretrieval.novelty import NoveltyModel, known_rows, load_novelty_model, save_novelty_model
from oodretrieval.stages.fit.region_windows import window_bank
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import CurrentSegments, joined, require_asked_settings

logger = logging.getLogger(__name__)
MOST_SEGMENTS = 200_000
"""More say nothing more of medians, of quantiles, and of the 400 vectors of each class that are kept."""


def train_novelty(settings: TrainNoveltySettings, run: Run) -> dict[str, Any]:
    """Fit a novelty model and save it.

    Args:
        settings: What to fit it on.
        run: Configuration and workspace.

    Returns:
        ``path``, and the number of known ``segments``.

    Raises:
        StoreError: If the dataset has no segment table yet.
        TableError: If there is no truth, or there are no logits.
        SettingsMismatchError: If the file exists and was fitted with other settings.
        PartialFailure: If some images cannot be read: the model is fitted on all others, and the next run tries again.
        AllFailedError: If none can be read.
    """
    work = run.stored(settings.model_name, settings.dataset, settings.common)
    work.require_truth()
    path = run.novelty_model_path(settings.model_name)
    segments = work.segments()
    made_by = {
        "model": settings.model_name,
        "weights": run.weights_hash(settings.model_name),
        "inference": inference_of(segments.settings),
        "images": segments.key,
        **{name: flat(settings)[name] for name in ("dataset", "backbone", "seed", "limit")},
    }
    if not settings.common.overwrite and _is_whole(path, made_by):
        return {"path": str(path)}
    table, sampled = _learned_from(segments, settings.seed)
    features = SegmentFeatures(settings.backbone, stage_device(settings.common))
    vectors, failures = features.of(work, table)
    read = ~table["image_id"].isin(failures).to_numpy()
    table = table[read].reset_index(drop=True)
    images = [str(image) for image in table["image_id"].unique()]
    windows, more = window_bank(work, images, features, settings.seed)
    failures |= more
    if failures.keys() >= set(images):
        raise work.all_failed("train_novelty", failures)
    classes = num_classes_of(table)  # the network's, background included
    prints = {image: work.fingerprints[image] for image in images}
    carried = {**made_by, **sampled, FITTED_ON: fitted_on(settings.dataset, prints)}
    carried |= {LEFT_OUT: list(failures)} if failures else {}
    model = NoveltyModel.fit(
        table,
        vectors.deep[read],
        num_classes=classes,
        seed=settings.seed,
        made_by=carried,
        windows=windows,
        fine=vectors.fine[read],
    )
    save_novelty_model(model, path)
    known = int(known_rows(table).sum())
    note = sample_note(carried)
    logger.info(
        "learned from %d known segments of %s%s; saved %s",
        known,
        settings.dataset,
        note and f", {note}",
        path,
    )
    if failures:
        raise PartialFailure("train_novelty", failures)
    return {"path": str(path), "segments": known}


def _is_whole(path: Path, made_by: dict[str, Any]) -> bool:
    """Whether the model is there, and no image was left out of it."""
    if not path.is_file():
        return False
    there = _fitted(path).made_by
    require_asked_settings(path, there, made_by)
    if there.get(LEFT_OUT):
        return False
    note = sample_note(there)
    logger.info("%s is fitted already%s; args.overwrite=True fits it again", path, note and f", {note}")
    return True


def _fitted(path: Path) -> NoveltyModel:
    try:
        return load_novelty_model(path)
    except WeightsError as error:
        raise WeightsError(f"{error} args.overwrite=True, in its place") from error


def _learned_from(segments: CurrentSegments, seed: int) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """The whole table, or whole images of it, sampled, where it is long: 5 bytes a segment of all are held.

    What the model notes of the sample comes with it; nothing where there is none.
    """
    images = joined(segments.tables(["image_id"]))
    rows = np.zeros(len(images), np.bool_)
    chosen = sample_of_images(images, MOST_SEGMENTS, seed)
    rows[chosen.index.to_numpy()] = True
    if rows.all():
        return segments.rows(rows), {}
    counts = {"segments": len(chosen), "of_segments": len(images)}
    counts |= {"images": chosen["image_id"].nunique(), "of_images": images["image_id"].nunique()}
    return segments.rows(rows), {SAMPLE: counts}
