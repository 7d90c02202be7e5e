"""Stage 1: predict every image of a dataset and keep what the later stages need."""

import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
from tqdm import tqdm

from oodretrieval.datasets import Sample, SegmentationDataset, subset_by_class
from oodretrieval.errors import DatasetError, ImageError, PartialFailure, SettingsError, StoreError
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inference import Segmenter, entropy_map, require_classes
from oodretrieval.stages.inputs import blocks, dataset_in_use, outstanding, provenance
from oodretrieval.stages.segment_blocks import image_table
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import (
    Prediction,
    PublishedPredictions,
    Workspace,
    existing_parts,
    read_prediction_settings,
    require_same_settings,
    write_prediction,
    write_segments,
)
from oodretrieval.stores.predictions import Keep

logger = logging.getLogger(__name__)
Predictor = Callable[[Sample], Prediction]


@dataclass(frozen=True)
class PredictSettings(CommonSettings):
    """What to predict, and what to keep of it.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the network.
        classindex: Only images that contain this label id; -1 for all.
        keep: logits (float16 at the network's stride), softmax (float32 at full size, as published) or nothing
            (the segment metrics are computed at once; they, the predicted classes and the entropy remain).
        source: Folder of published input<i>.hdf5 or of .npy softmax files to take instead of running the
            network; its predictions are matched to the dataset's images by file name.
    """

    dataset: str = ""
    model_name: str = ""
    classindex: int = -1
    keep: Keep = "logits"
    source: str = ""


def predict(settings: PredictSettings, configuration: Configuration, workspace: Workspace) -> dict[str, Any]:
    """Predict a dataset; images that have a prediction already are skipped.

    Args:
        settings: What to predict.
        configuration: Where names are looked up.
        workspace: Where predictions are written.

    Returns:
        Number of images ``predicted`` and ``skipped``, and the ``folder``.

    Raises:
        SettingsMismatchError: If predictions of the same name were made with other settings.
        PartialFailure: If some images could not be predicted; all others are done.
    """
    dataset = dataset_in_use(replace(settings, limit=0), configuration, settings.dataset)
    wanted = dataset_in_use(settings, configuration, settings.dataset)
    if settings.classindex >= 0:
        wanted = subset_by_class(wanted, [settings.classindex])
    predictor = _predictor(settings, configuration, dataset)
    made_by = {
        **provenance(settings, configuration, settings.model_name, settings.dataset),
        "keep": settings.keep,
        "source": settings.source,
    }
    if settings.source:
        made_by |= {"weights": "", "model_arguments": {}}
    folder = workspace.prediction_folder(settings.model_name, settings.dataset)
    with workspace.lock(folder):
        writer = _Writer(settings, workspace, dataset, set(wanted.ids), predictor, made_by)
        for number, indices in blocks(len(dataset)):
            writer.block(number, indices)
    if writer.failures:
        raise PartialFailure("pred_images", writer.failures)
    logger.info("%d predicted, %d were there; in %s", writer.predicted, writer.skipped, folder)
    return {"predicted": writer.predicted, "skipped": writer.skipped, "folder": str(folder)}


def _predictor(
    settings: PredictSettings, configuration: Configuration, dataset: SegmentationDataset
) -> Predictor:
    if settings.source:
        if settings.keep == "logits":
            raise SettingsError("a softmax has no logits to keep; add args.keep=softmax or args.keep=nothing")
        return _Published(PublishedPredictions(settings.source), dataset)
    segmenter = Segmenter(configuration.model(settings.model_name), choose_device(settings.gpu))
    return lambda sample: segmenter(sample, dataset.label_set)


class _Published:
    """Looks the prediction of a sample up in a folder of published files, by file name."""

    def __init__(self, predictions: PublishedPredictions, dataset: SegmentationDataset) -> None:
        self.predictions, self.label_set = predictions, dataset.label_set
        ids = dataset.ids
        self.index = {PurePosixPath(name).name: i for i, name in enumerate(predictions.ids)}
        if not any(PurePosixPath(name).name in self.index or self._prefixed(name) for name in ids):
            raise DatasetError(
                f"none of the predictions ({', '.join(list(self.index)[:3])}, …) has the file name of one of the "
                f"dataset's images ({', '.join(ids[:3])}, …); choose the dataset that they were made on"
            )

    def _prefixed(self, image_id: str) -> list[str]:
        return [name for name in self.index if name.startswith(f"{PurePosixPath(image_id).name}_")]

    def __call__(self, sample: Sample) -> Prediction:
        name = PurePosixPath(sample.id).name
        matches = [name] if name in self.index else self._prefixed(sample.id)
        if len(matches) != 1:
            raise ImageError(
                f"{len(matches)} predictions in the source belong to {sample.id!r}, expected one"
            )
        found: Prediction = self.predictions[self.index[matches[0]]]
        require_classes(found.num_classes, self.label_set)
        if found.prediction.shape != sample.image.shape[:2]:
            raise ImageError(
                f"the prediction of {sample.id!r} is {found.prediction.shape}, its image {sample.image.shape[:2]}"
            )
        return replace(found, image_id=sample.id, image_path=sample.path)


class _Writer:
    """Predicts block by block, skips what is done, and remembers what failed."""

    def __init__(
        self,
        settings: PredictSettings,
        workspace: Workspace,
        dataset: SegmentationDataset,
        wanted: Set[str],
        predictor: Predictor,
        made_by: dict[str, Any],
    ) -> None:
        self.settings, self.workspace, self.dataset = settings, workspace, dataset
        self.wanted, self.predictor, self.made_by = wanted, predictor, made_by
        self.failures: dict[str, str] = {}
        self.predicted = self.skipped = 0
        self.names = settings.model_name, settings.dataset
        self.with_metrics = settings.keep == "nothing"
        checked = None if settings.overwrite else made_by
        self.parts = existing_parts(workspace, *self.names, checked) if self.with_metrics else {}
        self.bar = tqdm(total=len(wanted), desc="predicting", unit="image", disable=None)

    def block(self, number: int, indices: Sequence[int]) -> None:
        """Predict what is missing of a block of images; with ``keep=nothing`` also write its segments."""
        ids = {self.dataset.ids[i]: i for i in indices}
        wanted = [image for image in ids if image in self.wanted]
        todo = [image for image in wanted if self.settings.overwrite or not self._is_done(image)]
        if self.with_metrics:
            # A part is written whole: what it holds already is predicted again with what is missing.
            held = set(self.parts.get(number, [])) - set(todo)
            todo = outstanding(list(ids), set(wanted), held, self.settings.overwrite)
        done = len(set(wanted) - set(todo))
        self.skipped += done
        self.bar.update(done)
        tables = [table for image in todo if (table := self._image(ids[image])) is not None]
        if tables:
            table = pd.concat(tables, ignore_index=True)
            images = [image for image in todo if image not in self.failures]
            write_segments(self.workspace, *self.names, number, table, images, self.made_by)

    def _is_done(self, image_id: str) -> bool:
        path = self.workspace.prediction_path(*self.names, image_id)
        if not path.is_file():
            return False
        try:
            recorded = read_prediction_settings(path)
        except StoreError as error:
            logger.warning("%s; predicting it again", error)
            return False
        require_same_settings(path.parent, recorded, self.made_by)
        return True

    def _image(self, index: int) -> pd.DataFrame | None:
        image_id = self.dataset.ids[index]
        try:
            sample = self.dataset[index]
            prediction = replace(self.predictor(sample), settings=self.made_by)
            if sample.labels is not None and self.dataset.label_set is not None:
                tables = self.dataset.label_set
                prediction = replace(
                    prediction,
                    labels=sample.labels,
                    label_to_pred=dict(tables.label_to_pred),
                    void_ids=tables.void_ids,
                )
            if self.with_metrics:
                prediction = replace(prediction, entropy=entropy_map(prediction.probabilities()))
            table = image_table(prediction) if self.with_metrics else None
            path = self.workspace.prediction_path(*self.names, image_id)
            write_prediction(path, prediction, self.settings.keep)
        except ImageError as error:
            self.failures[image_id] = str(error)
            return None
        finally:
            self.bar.update()
        self.predicted += 1
        return table
