"""Fit the novelty score of a network on segments of images with truth, none of them unknown."""

import logging
from pathlib import Path
from typing import Any

from oodretrieval.errors import PartialFailure, SettingsMismatchError, TableError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.fitted_images import FITTED_ON, fitted_on
from oodretrieval.experiment.inputs import dataset_in_use, weights_hash_if_there
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored import current_segments, inference_of
from oodretrieval.meta_models import num_classes_of
from oodretrieval.novelty import NoveltyModel, known_rows, load_novelty_model, save_novelty_model
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.select.selecting import novelty_model_path

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
    names = settings.model_name, settings.dataset
    dataset = dataset_in_use(settings.common, run.configuration, settings.dataset)
    if dataset.label_set is None:
        raise TableError(f"dataset {settings.dataset!r} has no truth; choose another args.dataset")
    path = novelty_model_path(run, settings.model_name)
    segments = current_segments(settings.common, run, names)
    made_by = {
        "model": settings.model_name,
        "weights": weights_hash_if_there(run.configuration.model(settings.model_name)),
        "inference": inference_of(segments.settings),
        "images": segments.key,
        **{name: flat(settings)[name] for name in ("dataset", "backbone", "seed", "limit")},
    }
    if path.is_file() and not settings.common.overwrite:
        _require_same(path, made_by)
        logger.info("%s is fitted already; args.overwrite=True fits it anew", path)
        return {"path": str(path)}
    table = segments.read()
    features = SegmentFeatures(run.workspace, settings.backbone, choose_device(settings.common.gpu))
    vectors, failures = features.of(names, dataset, table)
    if failures:
        raise PartialFailure("train_novelty", failures)
    classes = num_classes_of(table)  # the network's, background included
    carried = {**made_by, FITTED_ON: fitted_on(settings.dataset, table)}
    model = NoveltyModel.fit(table, vectors, num_classes=classes, seed=settings.seed, made_by=carried)
    save_novelty_model(model, path)
    known = int(known_rows(table).sum())
    logger.info("%d known segments of %s; saved %s", known, settings.dataset, path)
    return {"path": str(path), "segments": known}


def _require_same(path: Path, made_by: dict[str, Any]) -> None:
    recorded = load_novelty_model(path).made_by
    differing = {
        key: (recorded.get(key), value) for key, value in made_by.items() if recorded.get(key) != value
    }
    if differing:
        raise SettingsMismatchError(path, differing)
