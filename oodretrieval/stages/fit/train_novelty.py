"""Fit the novelty score of a network on segments of images with truth, none of them unknown."""

import logging
from typing import Any

from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.device import stage_device
from oodretrieval.experiment.fitted_images import FITTED_ON, fitted_on
from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.meta_models import num_classes_of
from oodretrieval.novelty import NoveltyModel, known_rows, load_novelty_model, save_novelty_model
from oodretrieval.stages.fit.region_windows import window_bank
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import require_asked_settings

logger = logging.getLogger(__name__)


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
        PartialFailure: If some images cannot be read; nothing is saved.
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
    if path.is_file() and not settings.common.overwrite:
        require_asked_settings(path, load_novelty_model(path).made_by, made_by)
        logger.info("%s is fitted already; args.overwrite=True fits it again", path)
        return {"path": str(path)}
    table = segments.read()
    features = SegmentFeatures(settings.backbone, stage_device(settings.common))
    vectors, failures = features.of(work, table)
    if failures:
        raise PartialFailure("train_novelty", failures)
    images = [str(image) for image in table["image_id"].unique()]
    windows, failures = window_bank(work, images, features, settings.seed)
    if failures:
        raise PartialFailure("train_novelty", failures)
    classes = num_classes_of(table)  # the network's, background included
    carried = {**made_by, FITTED_ON: fitted_on(settings.dataset, work.fingerprints)}
    model = NoveltyModel.fit(
        table,
        vectors.deep,
        num_classes=classes,
        seed=settings.seed,
        made_by=carried,
        windows=windows,
        fine=vectors.fine,
    )
    save_novelty_model(model, path)
    known = int(known_rows(table).sum())
    logger.info("%d known segments of %s; saved %s", known, settings.dataset, path)
    return {"path": str(path), "segments": known}
