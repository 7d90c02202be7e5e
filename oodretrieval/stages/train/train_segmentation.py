"""Stage 0: train a segmentation network on a labelled dataset."""

import logging
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

from oodretrieval.choices import EXPORTED_CLASSES
from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.datasets.subset import read_labels_at
from oodretrieval.datasets.transforms import TrainingTensors, training_transform
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import DatasetError, SettingsError, WeightsError
from oodretrieval.execution import keep_freed_memory, progress
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.datasets import dataset_arguments
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stage_failures import StageFailures
from oodretrieval.files import file_stamp
from oodretrieval.labels import NO_CLASS, LabelSet
from oodretrieval.models import load_weights, read_metadata, save_weights
from oodretrieval.models.widening import load_widened_weights
from oodretrieval.plain_classes import plain_classes
from oodretrieval.stages.train.accelerator import accelerator, seed_process
from oodretrieval.stages.train.fresh_network import fresh_network
from oodretrieval.stages.train.further_classes import (
    FurtherClasses,
    begin_new_classes,
    require_another_file,
    widened_entry,
)
from oodretrieval.stages.train.readable_images import readable_images
from oodretrieval.stages.train.segmentation_quality import evaluate_network, log_quality, rounded
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.training import Loss, Schedule, Trainer, class_weights, cross_entropy, template_loss

logger = logging.getLogger(__name__)


def train_segmentation(settings: TrainSegmentationSettings, run: Run) -> dict[str, Any]:
    """Train a network and keep the weights of the best epoch; goes on where a run broke off.

    Args:
        settings: The recipe.
        run: Configuration and workspace.

    Returns:
        Quality of the kept weights, as stored: measures of :class:`~oodretrieval.evaluation.SegmentationQuality` on
        the validation data, with ``epoch``; and their ``path``.

    Raises:
        DatasetError: If a dataset has no truth, or fewer images than a batch.
        SettingsError: If there is nowhere to save to, or weights are there that would be lost.
        StoreError: If a run that broke off had other settings.
        PartialFailure: If some images could not be read: the network has learned from all others.
    """
    entry = run.configuration.model(settings.model_name)
    path = _save_path(settings, run.configuration, entry)
    start = require_another_file(entry, settings.save_file) if settings.exports else None
    widened = f"_{path.stem}" if settings.exports else ""
    state = run.workspace.training_folder / f"{settings.model_name}{widened}" / "state.pt"
    first = int(os.environ.get("RANK", "0")) == 0  # accelerate launch starts one process for each GPU
    with ExitStack() as held:
        failing = None
        if first:
            held.enter_context(run.workspace.lock(state.parent))
            # what cannot be read is tried again each time: it is found before an epoch is spent
            all_again = replace(settings.common, retry_failed=True)
            failing = held.enter_context(StageFailures("train_segmentation", state.parent, {}, all_again))
        _require_nothing_lost(path, state, settings.common.overwrite)
        names = (settings.dataset, settings.dataset_val)
        train, validation = (
            readable_images(run.dataset(name, settings.common), name, failing) for name in names
        )
        data = {name: dataset_arguments(run.configuration, name, settings.common) for name in names}
        more = None
        if start is not None:
            device = choose_device(settings.common.gpu)
            more = FurtherClasses.of(settings.exports, train, validation, entry, settings.sure, device)
            train, validation = more.train, more.validation
            data |= {
                folder: {"classes": str(file_stamp(Path(folder) / EXPORTED_CLASSES))}
                for folder in settings.exports
            }
            logger.info("further classes: %s", ", ".join(more.names))
        training = _Training(settings, entry, train, validation, path, data, start, more)
        if settings.common.overwrite and first:  # only now: what was learned is not lost to a misspelt name
            state.unlink(missing_ok=True)
        quality = training.run(state)
        logger.info("%s: mean IoU %.4f (epoch %d)", path, quality["mean_iou"], quality["epoch"])
        log_quality(quality)
    return {**quality, "path": str(path)}


def _require_nothing_lost(path: Path, state: Path, overwrite: bool) -> None:
    if overwrite or path.is_file() == state.is_file():
        return
    if path.is_file():
        raise SettingsError(
            f"{path} is there already; add args.overwrite=True to train it again, or choose args.save_file"
        )


def _save_path(settings: TrainSegmentationSettings, configuration: Configuration, entry: ModelEntry) -> Path:
    named = settings.save_file or entry.weights
    if not named:
        raise SettingsError(
            f"the entry {settings.model_name!r} names no weights to save to; set args.save_file"
        )
    path = configuration.resolve(named) if not settings.save_file else Path(named).expanduser()
    if path.suffix != ".safetensors":
        raise SettingsError(f"weights are saved as .safetensors, not as {path.name!r}; set args.save_file")
    return path


class _Training:
    """One training: its network, data, device and what is kept of it."""

    def __init__(
        self,
        settings: TrainSegmentationSettings,
        entry: ModelEntry,
        train: SegmentationDataset,
        validation: SegmentationDataset,
        path: Path,
        data: dict[str, dict[str, str]],
        start: Path | None = None,
        more: FurtherClasses | None = None,
    ) -> None:
        self.label_set = _common_label_set(train, validation)
        if start is not None:
            entry = widened_entry(entry, self.label_set.num_classes)
        self.settings, self.entry, self.path = settings, entry, path
        if len(train) < settings.batch_size:
            raise DatasetError(
                f"{len(train)} training images, fewer than args.batch_size={settings.batch_size}"
            )
        self.accelerator = accelerator(settings.common.gpu, settings.mixed_precision, settings.accumulation)
        self.train = train
        self.held_out = TrainingTensors(validation, entry.mean, entry.std)
        left_out = {"workspace", "root", "gpu", "num_cores", "engine", "overwrite", "retry_failed", "dry_run"}
        left_out |= {"save_file", "verify"}
        self.recipe = {key: value for key, value in flat(settings).items() if key not in left_out}
        self.place = {"data": data, "save_file": str(path.resolve())}
        set_seed(settings.seed)
        pretrained = "no" if start is not None else settings.pretrained
        self.network = fresh_network(entry, settings.model_name, self.label_set, pretrained)
        if start is not None:
            self.widened = load_widened_weights(self.network, start, run_code=entry.run_code)
        self.more = more

    def run(self, state: Path) -> dict[str, Any]:
        """Train to the end; returns the quality of what is stored."""
        settings = self.settings
        keep_freed_memory()
        seed_process(settings.seed)
        if self.more is not None and not state.is_file():
            begin_new_classes(
                self.network,
                self.widened,
                self.more,
                self.entry,
                self.accelerator.device,
                settings.class_weight_power,
            )
        weights = _weights(self.train, self.label_set, settings.class_weight_power)
        weights = None if weights is None else weights.to(self.accelerator.device)
        trainer = Trainer(
            self.network,
            self._loader(),
            self._loss(weights),
            _schedule(settings),
            self.accelerator,
            state,
            {**self.recipe, **self.place},
        )
        device = self.accelerator.device
        trainer.fit(
            lambda network: evaluate_network(
                network, self.held_out, device, background=False
            ).matrix.mean_iou(),
            lambda network, figure, epoch: self._save(network, {"mean_iou": figure, "epoch": epoch}),
        )
        self.accelerator.wait_for_everyone()
        if not self.path.is_file():
            raise SettingsError(
                f"the training recorded in {state} has ended, but its weights {self.path} are not there (removed, "
                "or no validation gave a value); add args.overwrite=True to train again"
            )
        stored = self.accelerator.unwrap_model(trainer.model).eval()
        try:
            noted = read_metadata(self.path)["quality"]
            load_weights(stored, self.path)
        except WeightsError as error:
            raise WeightsError(f"{error}, here with args.overwrite=True") from error
        quality = {
            "epoch": noted["epoch"],
            **rounded(evaluate_network(stored, self.held_out, device).measures()),
        }
        if self.accelerator.is_main_process and quality != noted:  # predictions know the file's hash
            self._save(stored, quality)
        return quality

    def _loss(self, weights: Tensor | None) -> Loss:
        chosen = self.settings
        options = chosen.attraction, chosen.repulsion, chosen.similarity

        def loss(logits: Tensor, target: Tensor) -> Tensor:
            value = cross_entropy(logits, target, weights)
            with_templates = chosen.attraction or chosen.repulsion
            return value + template_loss(logits, target, *options) if with_templates else value

        return loss

    def _loader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        settings = self.settings
        transform = training_transform(
            settings.crop_height,
            settings.crop_width,
            (settings.scale_min, settings.scale_max),
            colour=settings.colour,
            photometric=settings.photometric,
            rotation=settings.rotation,
        )
        return DataLoader(
            TrainingTensors(self.train, self.entry.mean, self.entry.std, transform),
            settings.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=settings.common.num_cores,
            persistent_workers=settings.common.num_cores > 0,
            pin_memory=self.accelerator.device.type == "cuda",
        )

    def _save(self, network: nn.Module, quality: dict[str, Any]) -> None:
        entry, classes = self.entry, self.label_set.pred_mapping
        metadata = {
            "class_name": entry.class_name,
            "kwargs": dict(entry.kwargs),
            "implicit_background": entry.implicit_background,
            "classes": plain_classes(classes),
            "mean": list(entry.mean),
            "std": list(entry.std),
            "recipe": self.recipe,
            "quality": quality,
        }
        save_weights(network, self.path, metadata, self.settings.half)


def _common_label_set(train: SegmentationDataset, validation: SegmentationDataset) -> LabelSet:
    if train.label_set is None or validation.label_set is None:
        raise DatasetError("a network is trained and validated on labelled images; one dataset has no truth")
    if not train.label_set.pred_mapping:
        raise DatasetError(
            "labels that only distinguish known from unknown things teach no classes; choose another dataset"
        )
    if train.label_set.pred_mapping != validation.label_set.pred_mapping:
        raise DatasetError("training and validation dataset have different predicted classes")
    return train.label_set


def _schedule(settings: TrainSegmentationSettings) -> Schedule:
    return Schedule(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        encoder_factor=settings.encoder_factor,
        weight_decay=settings.weight_decay,
        optimiser=settings.optimiser,
        average_decay=settings.average_decay,
        validate_every=settings.validate_every,
    )


def _weights(train: SegmentationDataset, label_set: LabelSet, power: float) -> Tensor | None:
    if power == 0:
        return None
    pixels = np.zeros(NO_CLASS + 1, np.int64)
    for index in progress(range(len(train)), "counting classes"):
        labels = read_labels_at(train, index)
        if labels is not None:
            pixels += np.bincount(label_set.to_predicted(labels).ravel(), minlength=NO_CLASS + 1)
    return class_weights(pixels[: label_set.num_classes], power)
