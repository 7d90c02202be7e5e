"""Stage 0: train a segmentation network on a labelled dataset."""

import logging
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.datasets.transforms import TrainingTensors, training_transform
from oodretrieval.entries import ModelEntry, build, factory_of
from oodretrieval.errors import ConfigurationError, DatasetError, SettingsError
from oodretrieval.evaluation.confusion import ConfusionMatrix
from oodretrieval.execution import keep_freed_memory
from oodretrieval.files import atomic_path
from oodretrieval.labels import NO_CLASS, LabelSet
from oodretrieval.models.checkpoints import load_weights, read_metadata, save_weights
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inputs import dataset_arguments, dataset_in_use
from oodretrieval.stages.settings import CommonSettings, require_at_least
from oodretrieval.stores import Workspace
from oodretrieval.training import Schedule, Trainer, class_weights, cross_entropy

logger = logging.getLogger(__name__)
PRETRAINED: dict[str, bool | str] = {"packaged": "packaged", "download": True, "no": False}


@dataclass(frozen=True)
class TrainSegmentationSettings(CommonSettings):
    """Recipe of a training run.

    Attributes:
        dataset: Name of the dataset to learn from.
        dataset_val: Name of the dataset to choose the best epoch by.
        model_name: Name of the network.
        save_file: File for the weights; by default the one that the network's entry names.
        crop_height: Height of the training crops, pixels.
        crop_width: Width of the training crops, pixels.
        batch_size: Images a step and process.
        epochs: Passes over the training set.
        learning_rate: At the start, of everything but the encoder.
        encoder_factor: Share of it at which the encoder learns.
        weight_decay: On weights.
        optimiser: adamw or sgd; both follow the poly schedule.
        average_decay: Decay of the moving average of the weights; 0 for none.
        validate_every: Epochs between validations.
        scale_min: Smallest random scale, relative to the image just fitting into the crop.
        scale_max: Largest random scale, likewise.
        colour: Strength of the colour jitter, 0…1.
        class_weight_power: 0 weighs classes alike, 1 undoes their frequencies.
        accumulation: Steps whose gradients are added up before an update.
        mixed_precision: no, bf16 or fp16; auto is bf16 on a GPU and no on the CPU.
        pretrained: Start from ImageNet weights: packaged, where they come with an installed package; download,
            from their hub if need be; or no.
        half: Store the result as float16.
        num_cores: Worker processes that read and augment images; 0 reads in the main process.
        seed: Of augmentation, order and initial weights.
    """

    dataset: str = ""
    dataset_val: str = ""
    model_name: str = ""
    save_file: str = ""
    crop_height: int = 352
    crop_width: int = 480
    batch_size: int = 8
    epochs: int = 40
    learning_rate: float = 1e-3
    encoder_factor: float = 0.3
    weight_decay: float = 1e-2
    optimiser: str = "adamw"
    average_decay: float = 0.99
    validate_every: int = 1
    scale_min: float = 0.5
    scale_max: float = 2.0
    colour: float = 0.3
    class_weight_power: float = 0.25
    accumulation: int = 1
    mixed_precision: str = "auto"
    pretrained: Literal["packaged", "download", "no"] = "packaged"
    half: bool = True
    num_cores: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 1, "crop_height", "crop_width", "batch_size", "epochs", "validate_every")
        require_at_least(self, 1, "accumulation")
        require_at_least(self, 0, "learning_rate", "weight_decay", "average_decay", "colour")


def train_segmentation(
    settings: TrainSegmentationSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Train a network and keep the weights of the best epoch; goes on where a run broke off.

    Args:
        settings: The recipe.
        configuration: Where names are looked up.
        workspace: Where the state after each epoch is kept, below ``training/``.

    Returns:
        Quality of the kept weights, as stored: ``mean_iou``, ``iou`` by class, ``pixel_accuracy``, ``epoch``;
        and their ``path``.

    Raises:
        DatasetError: If a dataset has no truth, or fewer images than a batch.
        SettingsError: If there is nowhere to save to, or weights are there that would be lost.
        StoreError: If a run that broke off had other settings.
    """
    entry = configuration.model(settings.model_name)
    path = _save_path(settings, configuration, entry)
    state = workspace.path / "training" / settings.model_name / "state.pt"
    first = int(os.environ.get("RANK", "0")) == 0  # accelerate launch starts one process for each GPU
    with workspace.lock(state.parent) if first else nullcontext():
        _require_nothing_lost(path, state, settings.overwrite)
        names = (settings.dataset, settings.dataset_val)
        train, validation = (dataset_in_use(settings, configuration, name) for name in names)
        data = {name: dataset_arguments(settings, configuration, name) for name in names}
        training = _Training(settings, entry, train, validation, path, data)
        if settings.overwrite and first:  # only now: what was learned is not lost to a misspelt name
            state.unlink(missing_ok=True)
        quality = training.run(state)
    logger.info("%s: mean IoU %.4f (epoch %d)", path, quality["mean_iou"], quality["epoch"])
    for name, iou in quality["iou"].items():
        logger.info("  %-20s %.4f", name, iou)
    return {**quality, "path": str(path)}


def _require_nothing_lost(path: Path, state: Path, overwrite: bool) -> None:
    if overwrite or path.is_file() == state.is_file():
        return
    if path.is_file():
        raise SettingsError(
            f"{path} is there already; add args.overwrite=True to train it anew, or choose args.save_file"
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
    ) -> None:
        self.settings, self.entry, self.path = settings, entry, path
        self.label_set = _common_label_set(train, validation)
        if len(train) < settings.batch_size:
            raise DatasetError(
                f"{len(train)} training images, fewer than args.batch_size={settings.batch_size}"
            )
        self.accelerator = _accelerator(settings)
        self.train = train
        self.held_out = TrainingTensors(validation, entry.mean, entry.std)
        left_out = {"workspace", "root", "gpu", "num_cores", "overwrite", "save_file"}
        self.recipe = {key: value for key, value in asdict(settings).items() if key not in left_out}
        self.place = {"data": data, "save_file": str(path.resolve())}
        self.network = self._network()

    def run(self, state: Path) -> dict[str, Any]:
        """Train to the end; returns the quality of what is stored."""
        settings = self.settings
        keep_freed_memory()
        set_seed(settings.seed)
        weights = _weights(self.train, self.label_set, settings.class_weight_power)
        weights = None if weights is None else weights.to(self.accelerator.device)
        trainer = Trainer(
            self.network,
            self._loader(),
            lambda logits, target: cross_entropy(logits, target, weights),
            _schedule(settings),
            self.accelerator,
            state,
            {**self.recipe, **self.place},
        )
        device = self.accelerator.device
        trainer.fit(
            lambda network: _confusion(network, self.held_out, device).mean_iou(),
            lambda network, figure, epoch: self._save(network, {"mean_iou": figure, "epoch": epoch}),
        )
        self.accelerator.wait_for_everyone()
        if not self.path.is_file():
            raise SettingsError(
                f"the training recorded in {state} has ended, but its weights {self.path} are not there (removed, "
                "or no validation gave a figure); add args.overwrite=True to train anew"
            )
        best = read_metadata(self.path)["quality"]["epoch"]
        stored = self.accelerator.unwrap_model(trainer.model).eval()
        load_weights(stored, self.path)
        quality = {"epoch": best, **_quality(_confusion(stored, self.held_out, device), self.label_set)}
        if self.accelerator.is_main_process:
            self._save(stored, quality)
        return quality

    def _network(self) -> nn.Module:
        """The entry's network, with as many classes as the dataset and the ImageNet weights asked for."""
        set_seed(self.settings.seed)
        known = signature(factory_of(self.entry)).parameters
        classes = self.label_set.num_classes
        if self.entry.kwargs.get("num_classes", classes) != classes:
            raise ConfigurationError(
                f"the entry {self.settings.model_name!r} has num_classes={self.entry.kwargs['num_classes']}, "
                f"the dataset {classes} predicted classes; correct the entry, or choose another dataset"
            )
        offered = {"num_classes": classes, "pretrained": PRETRAINED[self.settings.pretrained]}
        network: nn.Module = build(self.entry, **{k: v for k, v in offered.items() if k in known})
        return network

    def _loader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        settings = self.settings
        transform = training_transform(
            settings.crop_height,
            settings.crop_width,
            (settings.scale_min, settings.scale_max),
            colour=settings.colour,
        )
        return DataLoader(
            TrainingTensors(self.train, self.entry.mean, self.entry.std, transform),
            settings.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=settings.num_cores,
            persistent_workers=settings.num_cores > 0,
            pin_memory=self.accelerator.device.type == "cuda",
        )

    def _save(self, network: nn.Module, quality: dict[str, Any]) -> None:
        entry, classes = self.entry, self.label_set.pred_mapping
        metadata = {
            "class_name": entry.class_name,
            "kwargs": dict(entry.kwargs),
            "classes": {str(i): [name, list(colour)] for i, (name, colour) in classes.items()},
            "mean": list(entry.mean),
            "std": list(entry.std),
            "recipe": self.recipe,
            "quality": quality,
        }
        with atomic_path(self.path) as temporary:
            save_weights(network, temporary, metadata, self.settings.half)


def _common_label_set(train: SegmentationDataset, validation: SegmentationDataset) -> LabelSet:
    if train.label_set is None or validation.label_set is None:
        raise DatasetError("a network is trained and validated on labelled images; one dataset has no truth")
    if train.label_set.pred_mapping != validation.label_set.pred_mapping:
        raise DatasetError("training and validation dataset have different predicted classes")
    return train.label_set


def _accelerator(settings: TrainSegmentationSettings) -> Accelerator:
    device = choose_device(settings.gpu)
    on_gpu = device.type == "cuda"
    if on_gpu and "LOCAL_RANK" not in os.environ:  # accelerate launch gives every process a GPU of its own
        torch.cuda.set_device(device)
    precision = settings.mixed_precision
    if precision == "auto":
        precision = "bf16" if on_gpu else "no"
    if precision not in ("no", "bf16", "fp16"):
        raise SettingsError(f"mixed_precision must be auto, no, bf16 or fp16, came {precision!r}")
    return Accelerator(
        cpu=not on_gpu, mixed_precision=precision, gradient_accumulation_steps=settings.accumulation
    )


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
    for index in tqdm(range(len(train)), "counting classes", disable=None):
        labels = train[index].labels
        if labels is not None:
            pixels += np.bincount(label_set.to_predicted(labels).ravel(), minlength=NO_CLASS + 1)
    return class_weights(pixels[: label_set.num_classes], power)


@torch.inference_mode()
def _confusion(network: nn.Module, data: TrainingTensors, device: torch.device) -> ConfusionMatrix:
    matrix = ConfusionMatrix(data.label_set.num_classes)
    for index in tqdm(range(len(data)), "validating", disable=None):
        image, target = data[index]
        logits = network(image[None].to(device))
        matrix.update(logits.argmax(1)[0].cpu().numpy(), target.numpy())
    return matrix


def _quality(matrix: ConfusionMatrix, label_set: LabelSet) -> dict[str, Any]:
    iou = {label_set.pred_mapping[i][0]: round(float(v), 4) for i, v in enumerate(matrix.iou())}
    return {
        "mean_iou": round(matrix.mean_iou(), 4),
        "pixel_accuracy": round(matrix.pixel_accuracy(), 4),
        "iou": iou,
    }
